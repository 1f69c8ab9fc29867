import { isWarpError, type WarpError } from "../../errors.ts";

/** Whether a call ended without its shard's word: it could not be reached, or did not answer in time. */
export function isUnreached(error: unknown): error is WarpError {
  return isWarpError(error, "unavailable", "deadline_exceeded");
}

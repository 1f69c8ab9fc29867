import { isWarpError } from "../errors.ts";

/** Whether an error is a failure of the bus, and not of what was asked of it. */
export function isBusTrouble(error: unknown): boolean {
  if (!isWarpError(error)) return true;
  return isWarpError(
    error,
    "unavailable",
    "deadline_exceeded",
    "overloaded",
    "storage_timeout",
    "storage_unavailable",
    "internal",
  );
}

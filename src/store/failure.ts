import { type ErrorCode, WarpError } from "../errors.ts";

/** What was thrown, as what a store throws and tells. */
export function failure(error: unknown, code: ErrorCode = "internal"): WarpError {
  return WarpError.from(error, code, String(error));
}

import { type ErrorCode, WarpError } from "../errors.ts";

/** Of what has nobody to be done for any more. */
export function ended(): WarpError {
  return new WarpError("aborted", "the session has ended");
}

/** What was thrown, as what a store throws and tells. */
export function failure(error: unknown, code: ErrorCode = "internal"): WarpError {
  return WarpError.from(error, code, String(error));
}

import { isWarpError, WarpError } from "../errors.ts";

/** The storage's own errors as those of a bus: `unavailable` and `deadline_exceeded`, with the outcome that they have. Others stay as they are. */
export async function asUnreachable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isWarpError(error, "storage_unavailable")) throw as("unavailable", error);
    if (isWarpError(error, "storage_timeout")) throw as("deadline_exceeded", error);
    throw error;
  }
}

function as(code: "unavailable" | "deadline_exceeded", error: WarpError): WarpError {
  return new WarpError(code, error.message, { ...error.toData(), cause: error });
}

import { WarpError } from "../errors.ts";
import { maxBatchOperations } from "../runtime/limits.ts";

/** What a call with more operations than one may have ends with. */
export function tooMany(count: number): WarpError {
  return new WarpError("batch_too_large", `${count} operations in one call; at most ${maxBatchOperations}`, {
    details: { count, max: maxBatchOperations },
  });
}

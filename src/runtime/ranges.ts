import { type ErrorCode, WarpError } from "../errors.ts";

/** Throws `code`, which names the field and the range, unless `value` is a whole number from `min` to `max`. */
export function checkWhole(code: ErrorCode, field: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new WarpError(code, `${field} is a whole number from ${min} to ${max}`, {
    details: { field, min, max },
  });
}

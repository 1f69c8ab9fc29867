import { WarpError } from "../errors.ts";

/** `value` if it is a whole number from `min` to `max`; else `invalid_argument` that names the field and the range. */
export function bound(field: string, value: number, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new WarpError("invalid_argument", `${field} is a whole number from ${min} to ${max}`, {
      details: { field, min, max },
    });
  }
  return value;
}

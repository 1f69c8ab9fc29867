import { checkWhole } from "../runtime/ranges.ts";

/** `value` if it is a whole number from `min` to `max`; else `invalid_argument` that names the field and the range. */
export function bound(field: string, value: number, min: number, max: number): number {
  checkWhole("invalid_argument", field, value, min, max);
  return value;
}

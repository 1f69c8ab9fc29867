import type { Payload } from "../protocol/payload.ts";
import { readJson, unfit, writeJson } from "./json.ts";
import type { BuiltInRule } from "./merge-function.ts";

/** The stored number plus the operand; an absent key counts as 0. */
export const sum: BuiltInRule = (stored, operand) => {
  const total = numberOf(operand, "operand") + (stored === undefined ? 0 : numberOf(stored, "stored value"));
  if (!isExact(total)) throw unfit("the sum is beyond what can be counted exactly");
  return writeJson(total);
};

/** The larger of the stored number and the operand. */
export const max: BuiltInRule = (stored, operand) => extreme(stored, operand, Math.max);

/** The smaller of the stored number and the operand. */
export const min: BuiltInRule = (stored, operand) => extreme(stored, operand, Math.min);

function extreme(
  stored: Payload | undefined,
  operand: Payload,
  choose: (a: number, b: number) => number,
): Payload {
  const given = numberOf(operand, "operand");
  return writeJson(stored === undefined ? given : choose(numberOf(stored, "stored value"), given));
}

function numberOf(payload: Payload, what: "stored value" | "operand"): number {
  const value = readJson(payload, what);
  if (typeof value === "number" && isExact(value)) return value;
  throw unfit(`the ${what} is no JSON number within ±9,007,199,254,740,991`);
}

/** Beyond this bound every double is a whole number, and neighbours are more than 1 apart: an increment could be lost. */
function isExact(value: number): boolean {
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

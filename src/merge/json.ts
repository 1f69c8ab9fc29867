import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { fromUtf8, utf8 } from "../runtime/bytes.ts";

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A refusal of a rule: the value or the operand does not fit it. Never quotes either. */
export function unfit(message: string): WarpError {
  return new WarpError("merge_failed", message);
}

/** The JSON in `payload`, whatever its content type says. Throws `merge_failed` where it is none; `what` names it in the message. */
export function readJson(payload: Payload, what: "stored value" | "operand"): Json {
  let text: string;
  try {
    text = fromUtf8(payload.bytes);
    // Numbers are read again with care only where one may be too long: a reviver makes reading some times slower.
    return JSON.parse(text, /[0-9]{16}/.test(text) ? exact : undefined) as Json;
  } catch (error) {
    if (error instanceof WarpError) throw error;
    throw unfit(`the ${what} is no JSON`);
  }
}

export function writeJson(value: Json): Payload {
  return { bytes: utf8(JSON.stringify(value)), contentType: "application/json" };
}

/** JSON with members in one order: equal texts for equal values. */
export function canonicalJson(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, part]) => `${JSON.stringify(name)}:${canonicalJson(part)}`).join(",")}}`;
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** A whole number that a double can't hold would come back as another one, without a word. */
function exact(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  if (source !== undefined && comesBack(source, value)) return value;
  throw unfit("a whole number has more digits than can be kept exactly");
}

/** Whether a number in JSON is written again as it was, or as an equal one. One with a fraction or an exponent is understood to be rounded. */
function comesBack(source: string, value: number): boolean {
  return !/^-?[0-9]+$/.test(source) || String(value) === source || BigInt(source) === BigInt(value);
}

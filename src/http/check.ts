import * as v from "valibot";
import { type ErrorCode, WarpError } from "../errors.ts";
import { isObject } from "./record.ts";
import { shown } from "./target.ts";

/** The code of a wrong field, where it has one of its own. */
const codes: Readonly<Record<string, ErrorCode>> = {
  key: "invalid_key",
  prefix: "invalid_key",
  limit: "invalid_limit",
  cursor: "invalid_cursor",
  expiresInMs: "invalid_ttl",
  opId: "invalid_op_id",
  ttlMs: "invalid_ttl",
  owner: "invalid_lock",
  after: "invalid_cursor",
  cacheTtlMs: "invalid_ttl",
  maxStalenessMs: "invalid_registration",
  before: "invalid_version",
  version: "invalid_version",
};

/** The members of a registration's policy, which only bodies have. */
const policyFields: ReadonlySet<string> = new Set([
  "mode",
  ...["graceMs", "softTimeoutMs", "hardTimeoutMs", "eagerRefresh", "sliding", "maxLifeMs", "jitter"],
  ...["negativeTtlMs", "allowStale", "kvTtlMs", "loadSharing", "adaptive", "frequency", "history"],
  ...["merge", "mergeMaxElements", "quorum", "minZones"],
]);

/** Codes of fields that have another one in some bodies. */
export type FieldCodes = Readonly<Record<string, ErrorCode>>;

function codeOf(path: readonly string[], where: "query" | "body", own: FieldCodes): ErrorCode {
  const last = path.at(-1) ?? "";
  if (own[last] !== undefined) return own[last];
  if (where === "body" && policyFields.has(path[0] ?? "")) return "invalid_registration";
  // Of pages and of keys; the limit of a warmup is another matter, and so is the choice whether a publication goes to a prefix.
  if (last === (where === "body" ? "limit" : "prefix")) return "invalid_argument";
  return codes[last] ?? "invalid_argument";
}

/**
 * `input` as `schema` has it. Throws the field's own code, or `invalid_argument`; the message names the field by its path and never
 * repeats its value.
 */
export function check<const S extends v.GenericSchema>(
  schema: S,
  input: unknown,
  where: "query" | "body",
  own: FieldCodes = {},
): v.InferOutput<S> {
  // Schemas of objects take arrays for objects.
  if (!isObject(input)) {
    throw new WarpError("invalid_argument", `the ${where} must be a JSON object`, { details: { where } });
  }
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = (issue.path ?? []).map((item) => String(item.key));
  const field = path.join(".");
  if (issue.type === "strict_object" && issue.expected === "never") {
    const what = where === "query" ? "parameter" : "member";
    throw new WarpError("invalid_argument", `the ${where} has an unknown ${what} ${shown(field)}`, {
      details: { field: field.slice(0, 64) },
    });
  }
  throw new WarpError(
    codeOf(path, where, own),
    `${field === "" ? `the ${where}` : shown(field)} ${fault(issue)}`,
    { details: field === "" ? { where } : { field: field.slice(0, 64), ...rangeOf(issue) } },
  );
}

/** What is wrong with a field. Messages of schemas may quote what they got; those of actions are our own words. */
function fault(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== "schema") return issue.message;
  if (issue.received === "undefined") return "is missing";
  const expected = issue.expected ?? "something else";
  // Schemas write a choice as `("a" | "b")`.
  const choice = /^\((.*)\)$/.exec(expected)?.[1];
  if (choice !== undefined) return `must be one of ${choice.replaceAll(" | ", ", ")}`;
  return `must be ${kinds[issue.type] ?? expected}`;
}

const kinds: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  boolean: "true or false",
  array: "an array",
  strict_object: "an object",
};

/** Whether something lies within bounds, which the problem's `details` then name. */
interface Within<T> {
  (value: T): boolean;
  readonly min: number;
  readonly max: number;
}

function within<T>(min: number, max: number, numberOf: (value: T) => number): Within<T> {
  const test = (value: T): boolean => {
    const number = numberOf(value);
    return Number.isSafeInteger(number) && number >= min && number <= max;
  };
  return Object.assign(test, { min, max });
}

/** The bounds that a number exceeds. */
function rangeOf(issue: v.BaseIssue<unknown>): { readonly min: number; readonly max: number } | undefined {
  const { requirement } = issue;
  if (typeof requirement !== "function" || !("min" in requirement)) return undefined;
  const { min, max } = requirement as Within<never>;
  return { min, max };
}

function rangeText(min: number, max: number): string {
  return `must be a whole number, ${min} to ${max}`;
}

/** A whole number in decimal text, `min` to `max`. */
export function integerText(min: number, max: number) {
  const inRange = within<string>(min, max, (text) =>
    /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN,
  );
  return v.pipe(v.string(), v.check(inRange, rangeText(min, max)), v.transform(Number));
}

/** A whole number, `min` to `max`. */
export function integer(min: number, max: number) {
  const inRange = within<number>(min, max, (value) => value);
  return v.pipe(v.number(), v.check(inRange, rangeText(min, max)));
}

/** `true` or `false` in text. */
export const booleanText = v.pipe(
  v.picklist(["true", "false"]),
  v.transform((text) => text === "true"),
);

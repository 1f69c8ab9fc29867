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
  mode: "invalid_registration",
  cacheTtlMs: "invalid_ttl",
  maxStalenessMs: "invalid_registration",
  before: "invalid_version",
  version: "invalid_version",
};

/** The members of a registration's policy, which only bodies have. */
const policyFields: ReadonlySet<string> = new Set([
  ...["graceMs", "softTimeoutMs", "hardTimeoutMs", "eagerRefresh", "sliding", "maxLifeMs", "jitter"],
  ...["negativeTtlMs", "allowStale", "kvTtlMs", "loadSharing", "adaptive", "frequency", "history"],
]);

function codeOf(path: readonly string[], where: "query" | "body"): ErrorCode {
  if (where === "body" && policyFields.has(path[0] ?? "")) return "invalid_registration";
  const last = path.at(-1) ?? "";
  // Of pages; the limit of a warmup is another matter.
  if (where === "body" && last === "limit") return "invalid_argument";
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
    throw new WarpError("invalid_argument", `the ${where} has an unknown member ${shown(field)}`, {
      details: { field: field.slice(0, 64) },
    });
  }
  // Messages of schemas may quote what they got; those of actions are our own words.
  const what =
    issue.kind === "schema" ? `must be ${issue.expected?.slice(0, 100) ?? "something else"}` : issue.message;
  throw new WarpError(codeOf(path, where), `${field === "" ? `the ${where}` : shown(field)} ${what}`, {
    details: field === "" ? { where } : { field: field.slice(0, 64) },
  });
}

/** A whole number in decimal text, `min` to `max`. */
export function integerText(min: number, max: number) {
  const range = `must be a whole number, ${min} to ${max}`;
  return v.pipe(
    v.string(),
    v.regex(/^[0-9]{1,16}$/, range),
    v.transform(Number),
    v.minValue(min, range),
    v.maxValue(max, range),
  );
}

/** A whole number, `min` to `max`. */
export function integer(min: number, max: number) {
  const range = `must be a whole number, ${min} to ${max}`;
  return v.pipe(
    v.number(),
    v.check((value) => Number.isSafeInteger(value), range),
    v.minValue(min, range),
    v.maxValue(max, range),
  );
}

/** `true` or `false` in text. */
export const booleanText = v.pipe(
  v.picklist(["true", "false"]),
  v.transform((text) => text === "true"),
);

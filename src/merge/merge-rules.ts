import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { mergeNamePattern, type RegistrationSettings } from "../protocol/registration.ts";
import { defaultMergeElements, maxContentTypeLength } from "../runtime/limits.ts";
import { append, union } from "./collections.ts";
import { deepMerge } from "./deep-merge.ts";
import type { BuiltInRule, MergeFunction, MergeFunctions } from "./merge-function.ts";
import { max, min, sum } from "./numbers.ts";

const builtIn: ReadonlyMap<string, BuiltInRule> = new Map<string, BuiltInRule>([
  ["last-write-wins", (_stored, operand) => operand],
  ["sum", sum],
  ["max", max],
  ["min", min],
  ["append", append],
  ["union", union],
  ["deep-merge", deepMerge],
]);

/** The rule of a key, as its registration says it. */
export type MergeSettings = Pick<RegistrationSettings, "merge" | "mergeMaxElements">;

/** The merge rules that a storage knows: the built-in ones and those it was given (rule ME3). They never change while it lives. */
export class MergeRules {
  readonly #custom: ReadonlyMap<string, MergeFunction>;

  /** Throws `invalid_argument` for a name that is malformed or that a built-in rule has. */
  constructor(custom: MergeFunctions = {}) {
    for (const [name, rule] of Object.entries(custom)) {
      if (!mergeNamePattern.test(name) || builtIn.has(name) || typeof rule !== "function") {
        throw new WarpError(
          "invalid_argument",
          `merges.${name} must be a function, under a name of 1 to 64 letters, digits, ".", "_" and "-", a letter first, that no built-in rule has`,
          { details: { field: `merges.${name}`.slice(0, 80), builtIn: [...builtIn.keys()] } },
        );
      }
    }
    this.#custom = new Map(Object.entries(custom));
  }

  /** The names of all rules, the built-in ones first. */
  get names(): readonly string[] {
    return [...builtIn.keys(), ...this.#custom.keys()];
  }

  /** Throws `merge_rule_unknown` where `name` is no rule's. */
  check(name: string | undefined): void {
    if (name === undefined || builtIn.has(name) || this.#custom.has(name)) return;
    throw new WarpError("merge_rule_unknown", `there is no merge rule ${name}`, {
      details: { field: "merge", rules: this.names },
    });
  }

  /**
   * The value that `operand` makes of `stored` by the rule that `settings` name. Throws `merge_rule_missing`, `merge_rule_unknown`, `merge_failed`
   * (rule ME2).
   */
  merge(settings: MergeSettings, stored: Payload | undefined, operand: Payload): Payload {
    const { merge: name, mergeMaxElements = defaultMergeElements } = settings;
    if (name === undefined)
      throw new WarpError("merge_rule_missing", "the key's registration names no merge rule");
    this.check(name);
    try {
      const rule = builtIn.get(name);
      if (rule !== undefined) return rule(stored, operand, mergeMaxElements);
      return checked(this.#custom.get(name)?.(own(stored), own(operand)));
    } catch (cause) {
      if (cause instanceof WarpError && cause.code === "merge_failed") throw cause;
      // The words of a foreign error may hold values.
      throw new WarpError("merge_failed", `the merge rule ${name} failed`, { cause });
    }
  }
}

/** A copy for functions of others: what is stored must not change under them, whatever they do. */
function own<P extends Payload | undefined>(payload: P): P {
  return payload === undefined ? payload : { ...payload, bytes: payload.bytes.slice() };
}

function checked(merged: unknown): Payload {
  const { bytes, contentType } = (merged ?? {}) as Partial<Payload>;
  if (!(bytes instanceof Uint8Array) || typeof contentType !== "string") {
    throw new WarpError("merge_failed", "the merge rule gave no payload of bytes and a content type");
  }
  if (contentType.length > maxContentTypeLength) {
    throw new WarpError(
      "merge_failed",
      `the merge rule gave a content type of more than ${maxContentTypeLength} characters`,
    );
  }
  return { bytes, contentType };
}

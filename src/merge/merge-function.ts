import type { Payload } from "../protocol/payload.ts";

/**
 * A merge rule: what becomes of the stored value (undefined: the key is absent) when `operand` is written. It runs inside the commit, so it is
 * synchronous, depends on its arguments alone and changes none of them. What it throws fails the write with `merge_failed`, and the old value stays.
 */
export type MergeFunction = (stored: Payload | undefined, operand: Payload) => Payload;

/** Custom rules by name: 1 to 64 letters, digits, `.`, `_` and `-`, a letter first. */
export type MergeFunctions = Readonly<Record<string, MergeFunction>>;

/** A rule that comes with Warp: it also takes the bound of lists and sets. */
export type BuiltInRule = (stored: Payload | undefined, operand: Payload, maxElements: number) => Payload;

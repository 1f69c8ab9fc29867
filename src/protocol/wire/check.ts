/** Readers of what arrived as JSON or MessagePack: each gives what it is asked for, made of known members only, or throws `invalid_frame`. */

import { WarpError } from "../../errors.ts";
import { fromBase64 } from "../../runtime/bytes.ts";

/** Reads one value; `at` is its place in the frame, such as `a[0].mutations[3].key`. */
export type Reader<T> = (value: unknown, at: string) => T;

/** A member that may be absent (or null, which is how JSON writes an absent argument). */
export interface Optional<T> {
  readonly optional: Reader<T>;
}

type Shape = Readonly<Record<string, Reader<unknown> | Optional<unknown>>>;

/** What {@link record} gives for a shape. */
export type Read<S extends Shape> = {
  readonly [K in keyof S as S[K] extends Reader<unknown> ? K : never]: S[K] extends Reader<infer T>
    ? T
    : never;
} & {
  readonly [K in keyof S as S[K] extends Reader<unknown> ? never : K]?: S[K] extends Optional<infer T>
    ? T
    : never;
};

/** The refusal of a frame; places are made of names that we know and of numbers, so they tell nothing of the content. */
export function wrongAt(at: string, must: string): WarpError {
  return new WarpError("invalid_frame", `${at} must be ${must}`, { details: { member: at } });
}

export const text: Reader<string> = (value, at) => {
  if (typeof value === "string") return value;
  throw wrongAt(at, "a text");
};

/** A text of `min` to `max` characters. */
export function textOf(min: number, max: number): Reader<string> {
  return (value, at) => {
    if (typeof value === "string" && value.length >= min && value.length <= max) return value;
    throw wrongAt(at, `a text of ${min} to ${max} characters`);
  };
}

/** A whole number, 0 or more unless told otherwise. */
export function whole(min = 0, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, at) => {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    throw wrongAt(at, `a whole number from ${min} to ${max}`);
  };
}

/** Any number; ranges are its user's to judge. */
export const number: Reader<number> = (value, at) => {
  if (typeof value === "number") return value;
  throw wrongAt(at, "a number");
};

/** A place in a fallback's stream: two whole numbers. */
export const streamPlace: Reader<string> = (value, at) => {
  if (typeof value === "string" && /^(0|[1-9][0-9]{0,14})-(0|[1-9][0-9]{0,14})$/.test(value)) return value;
  throw wrongAt(at, "a place <ms>-<seq>");
};

export const truth: Reader<boolean> = (value, at) => {
  if (typeof value === "boolean") return value;
  throw wrongAt(at, "true or false");
};

/** A mark that is set by its presence. */
export const mark: Reader<true> = (value, at) => {
  if (value === true) return value;
  throw wrongAt(at, "true or absent");
};

/** One of some texts. */
export function word<const W extends string>(...words: readonly W[]): Reader<W> {
  return (value, at) => {
    const found = words.find((one) => one === value);
    if (found !== undefined) return found;
    throw wrongAt(at, `one of ${words.join(", ")}`);
  };
}

/** The member that stands for bytes in JSON, in base64. */
export const bytesMember = "$bytes";

export const bytes: Reader<Uint8Array> = (value, at) => {
  if (value instanceof Uint8Array) return value;
  const coded = isPlain(value) ? value[bytesMember] : undefined;
  if (typeof coded === "string") {
    try {
      return fromBase64(coded);
    } catch {
      // Told below, like any other wrong type.
    }
  }
  throw wrongAt(at, "bytes: an object with $bytes in base64");
};

/** A list of at most `max`. */
export function list<T>(item: Reader<T>, max = Number.POSITIVE_INFINITY, min = 0): Reader<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw wrongAt(at, max === Number.POSITIVE_INFINITY ? "a list" : `a list of ${min} to ${max}`);
    }
    return value.map((one, index) => item(one, `${at}[${index}]`));
  };
}

export function optional<T>(reader: Reader<T>): Optional<T> {
  return { optional: reader };
}

/** An object with these members; others are left out. */
export function record<const S extends Shape>(shape: S): Reader<Read<S>> {
  const members = Object.entries(shape);
  return (value, at) => {
    if (!isPlain(value)) throw wrongAt(at, "an object");
    const found: Record<string, unknown> = {};
    for (const [name, reader] of members) {
      const member = Object.hasOwn(value, name) ? value[name] : undefined;
      const place = at === "" ? name : `${at}.${name}`;
      if (typeof reader === "function") found[name] = reader(member, place);
      else if (member !== undefined && member !== null) found[name] = reader.optional(member, place);
    }
    return found as Read<S>;
  };
}

/** Objects that are told apart by one member. */
export function variants<T>(name: string, readers: Readonly<Record<string, Reader<T>>>): Reader<T> {
  const kinds = Object.keys(readers);
  return (value, at) => {
    if (!isPlain(value)) throw wrongAt(at === "" ? "the frame" : at, "an object");
    const kind = value[name];
    const reader = typeof kind === "string" && Object.hasOwn(readers, kind) ? readers[kind] : undefined;
    if (reader === undefined) throw wrongAt(at === "" ? name : `${at}.${name}`, `one of ${kinds.join(", ")}`);
    return reader(value, at);
  };
}

/** Whether it is an object as JSON has them. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

import { WarpError } from "../errors.ts";

/** What a token may allow. `admin` includes all others and the administration of spaces, registrations and tokens. */
export const verbs = ["read", "write", "delete", "invalidate", "lock", "metrics", "admin"] as const;
export type Verb = (typeof verbs)[number];

/** What a caller may do: the product of its spaces, key prefixes and verbs, until it ends. */
export interface Grant {
  /** Whose op ids these are. */
  readonly subject: string;
  /** Names, prefixes that end in `*`, or `*`. */
  readonly spaces: readonly string[];
  /** Key prefixes; the empty one is every key. */
  readonly prefixes: readonly string[];
  readonly verbs: readonly Verb[];
  /** Unix ms; `Infinity` for a secret. */
  readonly expiresAtMs: number;
  /** Of a token that is good for one use: its id, and until when what it opens may last. Absent: it may be used until it ends. */
  readonly once?: { readonly id: string; readonly untilMs: number };
}

/** A grant of everything. */
export function fullGrant(subject: string): Grant {
  return { subject, spaces: ["*"], prefixes: [""], verbs: ["admin"], expiresAtMs: Number.POSITIVE_INFINITY };
}

/** Whether the space pattern `outer` covers `inner`, itself a name or a pattern. */
export function coversSpace(outer: string, inner: string): boolean {
  return outer.endsWith("*") ? inner.startsWith(outer.slice(0, -1)) : outer === inner;
}

/** Whether it allows `verb` at all. */
export function allowsVerb(grant: Grant, verb: Verb): boolean {
  return grant.verbs.includes(verb) || grant.verbs.includes("admin");
}

/** Whether it reaches into `space`. */
export function allowsSpace(grant: Grant, space: string): boolean {
  for (const pattern of grant.spaces) if (coversSpace(pattern, space)) return true;
  return false;
}

/** Whether `key`, or every key that begins with it, lies within its prefixes. */
export function allowsKey(grant: Grant, key: string): boolean {
  for (const prefix of grant.prefixes) if (key.startsWith(prefix)) return true;
  return false;
}

/** Whether a registration pattern lies within its prefixes. */
export function allowsPattern(grant: Grant, pattern: string): boolean {
  return allowsKey(grant, pattern.endsWith("*") ? pattern.slice(0, -1) : pattern);
}

/** Throws `forbidden` unless the grant has the verb. */
export function requireVerb(grant: Grant, verb: Verb): void {
  if (!allowsVerb(grant, verb)) {
    throw new WarpError("forbidden", `the token has not the verb ${verb}`, { details: { verb } });
  }
}

/** Throws `forbidden` unless the grant has one of `verbs`. */
export function requireAnyVerb(grant: Grant, verbs: readonly Verb[]): void {
  if (verbs.some((verb) => allowsVerb(grant, verb))) return;
  throw new WarpError("forbidden", `the token has none of the verbs ${verbs.join(", ")}`, {
    details: { verbs },
  });
}

/** Throws `forbidden` unless `key` (a key, a prefix of keys, or the name of a lock) lies within the grant. */
export function requireKey(grant: Grant, key: string, what: "key" | "prefix" | "space" | "lock"): void {
  if (!allowsKey(grant, key)) {
    throw new WarpError("forbidden", `the ${what} lies outside the token's key prefixes`);
  }
}

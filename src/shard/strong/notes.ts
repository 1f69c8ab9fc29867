import { maxNotedPatterns } from "../../runtime/limits.ts";

/** What nodes may do with keys of a pattern: `read`: they were answered strongly; `hold`: they may also serve them from L1. */
export type Use = "read" | "hold";

/** Patterns under which strong answers were given, as the database has them: what a successor must reckon with. */
export type Noted = Readonly<Record<string, Use>>;

/** Whether `pattern` (an exact key, or a prefix ending in `*`) speaks of `key`. */
export function covers(pattern: string, key: string): boolean {
  return pattern.endsWith("*") ? key.startsWith(pattern.slice(0, -1)) : pattern === key;
}

/** Whether `pattern` may speak of a key that begins with `prefix`. */
export function overlaps(pattern: string, prefix: string): boolean {
  if (!pattern.endsWith("*")) return pattern.startsWith(prefix);
  const own = pattern.slice(0, -1);
  return own.startsWith(prefix) || prefix.startsWith(own);
}

/** `noted` and `more` together; beyond 64 patterns one that says all. */
export function together(noted: Noted, more: ReadonlyMap<string, Use>): Noted {
  const all: Record<string, Use> = { ...noted };
  for (const [pattern, use] of more) if (all[pattern] !== "hold") all[pattern] = use;
  if (Object.keys(all).length <= maxNotedPatterns) return all;
  return { "*": Object.values(all).includes("hold") ? "hold" : "read" };
}

/** Whether `use` of keys of `pattern` is among what is noted. */
export function isNoted(noted: Noted, pattern: string, use: Use): boolean {
  const allows = (found: Use | undefined): boolean => found === "hold" || found === use;
  return allows(noted[pattern]) || allows(noted["*"]);
}

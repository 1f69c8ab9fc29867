import { WarpError } from "../../errors.ts";
import { Adaptive } from "./adaptive.ts";
import { Lfu } from "./lfu.ts";
import { Lru } from "./lru.ts";
import type { EvictionPolicy } from "./policy.ts";
import { S3Fifo } from "./s3-fifo.ts";

/** The policies of a memory cache, by name. */
const makers = {
  "s3-fifo": (capacity: number): EvictionPolicy => new S3Fifo(capacity),
  lru: (capacity: number): EvictionPolicy => new Lru(capacity),
  lfu: (capacity: number): EvictionPolicy => new Lfu(capacity),
  adaptive: (capacity: number): EvictionPolicy => new Adaptive(capacity),
} as const;

/** What a full memory cache gives up first; `docs/cache.md` compares them. */
export type EvictionPolicyName = keyof typeof makers;

/** Makes the policy of that name. Throws `invalid_argument` for another name. */
export function evictionPolicy(name: EvictionPolicyName, capacity: number): EvictionPolicy {
  return makers[checkPolicyName(name, "policy")](capacity);
}

/** The name, if there is a policy of it; `field` says what it was given as. Throws `invalid_argument`. */
export function checkPolicyName(name: string, field: string): EvictionPolicyName {
  // Callers without types may bring any name, those of Object's own members included.
  if (Object.hasOwn(makers, name)) return name as EvictionPolicyName;
  const names = Object.keys(makers);
  throw new WarpError("invalid_argument", `${field} is one of ${names.join(", ")}`, {
    details: { field, oneOf: names },
  });
}

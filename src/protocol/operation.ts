import type { ErrorData } from "../errors.ts";
import type { Payload } from "./payload.ts";

/**
 * An HTTP-like precondition on a key (RFC 9110, section 13.1). Tags are `epoch.version` without quotes; an absent key has none.
 * `anyOf: "*"` wants the key to exist, `noneOf: "*"` wants it absent.
 */
export type Precondition =
  | { readonly anyOf: "*" | readonly string[] }
  | { readonly noneOf: "*" | readonly string[] };

/**
 * Ties a write to a lock (rule LK14): where the lock lies in the key's shard it must be held under this fence, else no higher fence of it may have
 * been seen with this key. Otherwise the write is `stale_fence`.
 */
export interface FenceGuard {
  /** The lock's name. */
  readonly lock: string;
  readonly fence: number;
}

/** One change asked of a shard. `opId` is already scoped to its subject: see {@link scopeOpId}. */
export type Mutation =
  | {
      readonly kind: "set";
      readonly opId: string;
      readonly key: string;
      readonly payload: Payload;
      /** Life at the authority from the commit on, in ms (1 to 10 years); undefined: until deleted. */
      readonly expiresInMs?: number;
      /** At most 16 different ones of 1 to 128 bytes: by them all copies of the value can be invalidated at once (rule CO9). */
      readonly tags?: readonly string[];
      readonly when?: Precondition;
      readonly guard?: FenceGuard;
      /** Attaches the key to a live lease in the same commit; `lease_not_found` else. */
      readonly lease?: string;
      /** Replaces the stored value also where the key's registration names a merge rule; without it the value is merged as an operand. */
      readonly replace?: true;
    }
  /**
   * Merges an operand into the stored value by the registered rule (rule ME1); `merge_rule_missing` where there is none. Life and tags that it does
   * not name stay as they are, also those of a `set` that is merged.
   */
  | {
      readonly kind: "merge";
      readonly opId: string;
      readonly key: string;
      readonly operand: Payload;
      readonly expiresInMs?: number;
      readonly tags?: readonly string[];
      readonly when?: Precondition;
      readonly guard?: FenceGuard;
      /** As for `set`. */
      readonly lease?: string;
    }
  /** Makes a kept version the present value, as a new version (rule VE2). Fails with `version_compacted` or `not_found`. */
  | {
      readonly kind: "restore";
      readonly opId: string;
      readonly key: string;
      readonly version: number;
      readonly when?: Precondition;
      readonly guard?: FenceGuard;
    }
  | {
      readonly kind: "delete";
      readonly opId: string;
      readonly key: string;
      readonly when?: Precondition;
      readonly guard?: FenceGuard;
    }
  /** Drop every copy, keep the stored value. */
  | { readonly kind: "invalidate"; readonly opId: string; readonly key: string }
  | { readonly kind: "invalidatePrefix"; readonly opId: string; readonly prefix: string }
  /** One log entry, whatever number of keys has the tag; goes to every shard, like a prefix. */
  | { readonly kind: "invalidateTag"; readonly opId: string; readonly tag: string };

/**
 * How one mutation ended. A repeated op id gives the first verdict again, marked `replayed`.
 *
 * - `version`: the key's version after it (0: absent); for an invalidation the version it had, unchanged.
 * - `revision`: the log entry it wrote; 0 if it changed nothing (a delete of an absent key).
 * - `existed`: whether the key existed before.
 */
export type Verdict =
  | {
      readonly outcome: "ok";
      readonly version: number;
      readonly revision: number;
      readonly existed: boolean;
      /** What is stored now is what a merge rule made, not what was sent. A replayed verdict does not say. */
      readonly merged?: true;
      readonly replayed?: true;
      /** The storage behind the shard had not confirmed it when the wait for it was over (`write: "through"`). It is committed. */
      readonly storage?: "pending";
      /** The shard could not be reached: it is in the fallback's stream and has no version or revision yet (both 0), nor is `existed` known (false). */
      readonly provisional?: true;
    }
  | { readonly outcome: "fail"; readonly error: ErrorData; readonly replayed?: true };

/** An op id as shards keep it: the subject who chose it, the UUIDv7, and the place in a batch that shares one. */
export function scopeOpId(subject: string, opId: string, index?: number): string {
  return index === undefined ? `${opId}/${subject}` : `${opId}#${index}/${subject}`;
}

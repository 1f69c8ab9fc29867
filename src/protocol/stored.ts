import type { Payload } from "./payload.ts";

/** A stored value as a shard gives it. */
export interface StoredEntry {
  readonly key: string;
  readonly version: number;
  /** Wall-clock ms of its commit at the shard. */
  readonly modifiedAtMs: number;
  readonly payload: Payload;
  /** What is left of its life, in ms, at the moment of the answer; undefined: no end. */
  readonly expiresInMs?: number;
  /** Absent: none. */
  readonly tags?: readonly string[];
}

/** One kept version of a key. A delete or an expiry is a version without a value (rule VE4). */
export interface KeptVersion {
  readonly version: number;
  readonly kind: "set" | "delete" | "expire";
  /** Wall-clock ms of its commit, never less than that of the version before; of an expiry, the moment its life ended. */
  readonly atMs: number;
  readonly sizeBytes: number;
  readonly contentType?: string;
  readonly tags?: readonly string[];
}

/** A key as a list tells it. */
export interface ListedKey {
  readonly key: string;
  readonly version: number;
  readonly modifiedAtMs: number;
  readonly sizeBytes: number;
  readonly contentType: string;
  readonly expiresInMs?: number;
  /** Absent: none. */
  readonly tags?: readonly string[];
  readonly payload?: Payload;
}

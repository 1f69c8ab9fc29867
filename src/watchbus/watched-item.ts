import type { WarpError } from "../errors.ts";

/** Where an item stands in the logs that are watched: to resume behind it (rule WA3). Undefined while a snapshot is under way. */
interface AtCursor {
  readonly cursor: string | undefined;
}

/** A change of a key, or a publication. */
interface KeyEvent extends AtCursor {
  readonly key: string;
  /** The key's version after it; 0: absent, or a publication. */
  readonly version: number;
  /** Of its shard's log. Of a publication that is not retained: what it comes after. */
  readonly revision: number;
  readonly shard: number;
}

/** What was written or published. */
interface Carried<T> {
  /** Undefined in the mode `keys`, where it is `omitted`, and where it can't be decoded. */
  readonly value: T | undefined;
  readonly contentType?: string;
  /** It was too large for the log (16 KiB), or has been in it for too long: read the key. */
  readonly omitted?: true;
  /** Why it can't be decoded; the watch goes on. */
  readonly error?: WarpError;
}

/** What a watch tells. */
export type WatchedItem<T = unknown> =
  | (KeyEvent & Carried<T> & { readonly kind: "set" | "publish" })
  /** A publication to a prefix, which is its `key`. */
  | (KeyEvent & Carried<T> & { readonly kind: "publishPrefix" })
  | (KeyEvent & { readonly kind: "delete" | "expire" })
  /**
   * A part of the state of a shard's keys. `first`: it begins, what was known of them is void; `done`: the state of all shards is whole. Events may tell again what it has, with the
   * same version.
   */
  | (AtCursor & {
      readonly kind: "snapshot";
      readonly entries: readonly (Carried<T> & { readonly key: string; readonly version: number })[];
      readonly shard: number;
      readonly first: boolean;
      readonly done: boolean;
    })
  /** What happened to the keys of a shard can't be told: what is known of them is void, their state follows as a snapshot. */
  | (AtCursor & {
      readonly kind: "gap";
      readonly why: "compacted" | "epoch" | "slow";
      readonly shard: number;
    })
  /** Publications that are not retained were left out, because this watch was too slow. */
  | (AtCursor & { readonly kind: "missed" });

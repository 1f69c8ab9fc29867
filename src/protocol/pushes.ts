import type { LockEnd } from "./lock.ts";
import type { Change } from "./shard-api.ts";

/** Log entries of a shard that were pushed: those of `(after, to]`, in order. They may come twice, and pages may be missing between two. */
export interface PushedChanges {
  readonly shard: number;
  readonly epoch: string;
  readonly after: number;
  readonly to: number;
  readonly changes: readonly Change[];
}

/** A strong write is about to commit: copies of these must not be served from now on, and no answer from before `revision` be kept. */
export interface PushedInvalidation {
  readonly shard: number;
  readonly epoch: string;
  readonly revision: number;
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly tags: readonly string[];
}

/** A grant that was given over this very connection has ended otherwise than by its release. */
export interface PushedLoss {
  readonly shard: number;
  readonly name: string;
  readonly fence: number;
  readonly reason: LockEnd;
}

/** What a node is told unasked. */
export interface PushListener {
  changes(pushed: PushedChanges): void;
  /** It is acknowledged once this returns, or its promise settles; if it throws or rejects, the session is given up instead. */
  invalidate(pushed: PushedInvalidation): void | Promise<void>;
  /** Pushes up to here were left out. The log is to be asked, or what is held of the shard must go. */
  gap(position: { readonly shard: number; readonly epoch: string; readonly revision: number }): void;
  /** The connection to the shard is gone (or has come): pushes may have been missed. A tenure ends with its connection. */
  lost(shard: number): void;
  /** Must not throw. Absent: it holds no locks. */
  ended?(pushed: PushedLoss): void;
}

/**
 * The unasked part of a storage, over connections that stay open. A *tenure* is a stretch of one session of this node at a shard without a gap
 * between its node leases: permissions to serve strong copies are given under it and end with it. Its number never comes back.
 */
export interface Pushes {
  /** Begins to listen: connections are opened for shards that are used. The answer takes it back. */
  listen(listener: PushListener): () => void;
  /**
   * Until when, by the node's clock, copies held under `tenure` of `shard` may be served in strong mode; `-Infinity`: not at all. Cheap: asked on
   * each such hit.
   */
  servesUntilMs(shard: number, tenure: number): number;
}

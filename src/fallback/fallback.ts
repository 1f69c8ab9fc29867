/**
 * The contract of the way around a shard that can't be reached: a stream of proposals in another storage (rule SB8). Nodes append, the shard reads, applies each exactly once and
 * in order, and trims what it has applied. One file, one contract; drivers live in the folders beside it, and `test/contract/fallback.ts` holds each of them to every line here.
 */

import type { Mutation } from "../protocol/operation.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { CallLimits } from "../runtime/call-limits.ts";

/** What may be proposed: `set`, `delete` and `merge` without condition, guard and lease. */
export type ProposedMutation = Extract<Mutation, { kind: "set" | "merge" | "delete" }>;

/** An unconditional eventual `set`, `delete` or `merge` that a node could not bring to the shard. */
export interface Proposal {
  /** Its op id is scoped, as in the call that failed: the shard may have carried that out. */
  readonly mutation: Mutation;
  /** The life of the space (`SpaceSettings.id`) that it is meant for: one of that name that is made later is not to hear of it. */
  readonly spaceId: string;
  /** The registration version that the node works under, as in a call: a shard that knows less fetches first. */
  readonly registrations: number;
  /** The node that proposes it. */
  readonly node: string;
  /** By the node's clock, Unix ms. */
  readonly atMs: number;
}

/** A place in the stream: `<ms>-<seq>`, as Redis gives them. Ordered by its two numbers, not as text: see `comparePlaces`. */
export type StreamPlace = string;

/** A proposal with its place. */
export interface PlacedProposal extends Proposal {
  readonly place: StreamPlace;
}

/** Proposals in their order. */
export interface ProposalPage {
  readonly proposals: readonly PlacedProposal[];
  /** The newest place of the stream, also where it is trimmed; undefined: nothing was ever appended. */
  readonly head?: StreamPlace;
  /** How far the shard has applied, as it said last; undefined: never said. */
  readonly applied?: StreamPlace;
  /** Something between `after` and the last one given is gone though the shard never said that it applied it. */
  readonly gap?: true;
  /** The stream does not know the place `after` (any more): the storage has lost what it had acknowledged last, and gives later proposals other places. */
  readonly lost?: true;
}

/** What nodes need to know of a space while its shards can't be reached. */
export interface SpaceNotice {
  readonly space: SpaceSettings;
  /** The version of `list`. */
  readonly registrations: number;
  readonly list: readonly StoredRegistration[];
}

/**
 * The streams of one space, one for each shard. All calls throw `storage_timeout`, `storage_unavailable` (those that write with outcome `unknown` where it is unknown), `decode_failed`,
 * `aborted`, `warp_closed`, `invalid_argument`.
 */
export interface Fallback {
  /**
   * Appends 1 to 500 proposals of one shard, all or none, in order. A proposal whose op id is among those kept gives its first place again, so that an append may be repeated.
   * `overloaded` (outcome `fail`) where more than the stream's bound would not yet be trimmed: nothing is ever dropped to make room.
   * `op_id_expired` (outcome `fail`) where an op id is older than its window by the storage's clock: a request that comes that late is not taken, since the shard may have forgotten
   * that it carried the operation out. `invalid_op_id` for what has no time, `unsupported` for what may not be proposed.
   */
  append(shard: number, proposals: readonly Proposal[], limits?: CallLimits): Promise<readonly StreamPlace[]>;
  /** At most `limit` (1 to 500) proposals after a place; undefined: from the oldest kept on. Fewer where they are large; at least one where there is one. */
  read(
    shard: number,
    after: StreamPlace | undefined,
    limit: number,
    limits?: CallLimits,
  ): Promise<ProposalPage>;
  /** The shard says that it has applied so far, durably: those may go. Never backwards; idempotent. A place beyond the head, from before the storage lost its tail, says nothing. */
  trim(shard: number, applied: StreamPlace, limits?: CallLimits): Promise<void>;
  /** The newest notice; undefined: the space never opted in, or has opted out. */
  notice(limits?: CallLimits): Promise<SpaceNotice | undefined>;
  /** Shard 0 tells; undefined takes it back. One that is not newer (by `space.createdAtMs`, then `registrations`) never replaces another, nor comes after one that was taken back. */
  announce(notice: SpaceNotice | undefined, limits?: CallLimits): Promise<void>;
  /** Removes a shard's stream, applied or not: the space is being deleted. Idempotent. */
  clear(shard: number, limits?: CallLimits): Promise<void>;
  /** Ends what is under way; idempotent. */
  close(): void;
}

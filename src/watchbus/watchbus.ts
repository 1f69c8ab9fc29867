/**
 * The contract of watching: who wants to hear of keys is told each change in order, can resume where it was, and hears what is published to those who
 * watch. One file, one contract; drivers live in the folders beside it, and `test/contract/watchbus.ts` holds each of them to every line here.
 */

import type { Payload } from "../protocol/payload.ts";
import type { Position } from "../protocol/position.ts";
import type { WatchKind, WatchMode, WatchOperation, WatchTarget } from "../protocol/watch.ts";
import type { CallLimits } from "../runtime/call-limits.ts";

export type { WatchKind, WatchMode, WatchOperation, WatchTarget } from "../protocol/watch.ts";

/** What a driver can do; a missing ability is refused with `unsupported`, and that refusal is tested. */
export interface WatchBusSupports {
  /** A watch can begin at a cursor: nothing in between is lost, or a gap says so. */
  readonly resume: boolean;
  /** A watch can begin with the state. */
  readonly snapshot: boolean;
  readonly publish: boolean;
  /** Reaches other processes. */
  readonly remote: boolean;
  /** Who is there can be told. */
  readonly presence: boolean;
}

/** One change, or one publication. */
export interface WatchEvent {
  /** `publishPrefix`: a publication to all that begins with `key`, and to whoever watches a prefix that begins `key`. */
  readonly kind: WatchKind;
  readonly key: string;
  /** The key's version after it; 0: it is absent, or this is a publication. */
  readonly version: number;
  /** Where it stands in its shard's log. Of a publication that is not retained: what it comes after. */
  readonly revision: number;
  readonly shard: number;
  /** What was written or published. Absent in the mode `keys`, for what ends a key, and where it is `omitted`. */
  readonly payload?: Payload;
  /** The value was too large for the log, or is no longer in it: whoever wants it has to read the key. */
  readonly omitted?: true;
  /**
   * To resume behind it. The parts of a transaction share a revision, and their cursors, but for the last one's, lie before all of them: so it is
   * told again as a whole.
   */
  readonly cursor: string | undefined;
}

/** A key of a snapshot. Without payload in the mode `keys`. */
export interface WatchedKey {
  readonly key: string;
  readonly version: number;
  readonly payload?: Payload;
}

/** What a watch tells. */
export type WatchItem =
  | WatchEvent
  /**
   * A part of the state of a shard's keys. `first`: it begins, and what was known of them before is void. Events may come between its parts, of keys that were told or that were
   * not; where an event tells again what the state has, it has its version. `done`: the state is whole, of all shards; before, there is no cursor.
   */
  | {
      readonly kind: "snapshot";
      readonly entries: readonly WatchedKey[];
      readonly shard: number;
      readonly first: boolean;
      readonly done: boolean;
      readonly cursor: string | undefined;
    }
  /**
   * What happened to the keys of `shard` since the last item can't be told: the log was trimmed, or its shard lost its storage, or (`slow`) there was too much of it for a
   * watch of the newest. What is known of them is void; their state follows as a snapshot.
   */
  | {
      readonly kind: "gap";
      readonly why: "compacted" | "epoch" | "slow";
      readonly shard: number;
      readonly cursor: undefined;
    }
  /** Publications that are not retained were left out, because this watch was too slow to take them. */
  | { readonly kind: "missed"; readonly cursor: string | undefined };

/** What a watch is told of who is there; see the frame `pres`. */
export interface PresenceNews {
  /** These are all; else what has changed. */
  readonly all?: true;
  /** By member what it shows; null: it has left. */
  readonly es: readonly (readonly [member: string, data: unknown])[];
  /** So many there are, too many to be told by name. */
  readonly n?: number;
  /** Which member this watch is. */
  readonly me?: string;
}

/** Takes part in who is there, for one watch: see `Presence`. None of it throws but `take`, with `invalid_argument`. */
export interface PresenceSeat {
  /** The watch begins: what it shows of itself is to be said by `say`, now and at each change; null: nothing. */
  take(say: (data: unknown) => void): void;
  /** Undefined: the way is broken, and what was told may be out of date. What follows begins with all. */
  told(news: PresenceNews | undefined): void;
  /** The watch is over. */
  leave(): void;
}

/** How to watch. */
export interface WatchOptions {
  /** `now` (default): what happens from now on. `snapshot`: the state first. A cursor of a watch of the same target: what happened since. */
  readonly from?: "now" | "snapshot" | { readonly cursor: string };
  /** Default `all`. */
  readonly mode?: WatchMode;
  /** Which events. Default: all. */
  readonly ops?: readonly WatchOperation[];
  /** Who shows itself at exactly this target is told, and this watch to them. Default: nobody is told of it. */
  readonly presence?: PresenceSeat;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

/**
 * A watch that is under way. It is iterated over once, by one reader; what it has not taken yet costs the storage nothing (rule WA7). It ends quietly with its
 * signal, by {@link end} and with its bus, and throws what else it ends with: `forbidden`, `token_expired`, `space_not_found`.
 */
export interface Watch extends AsyncIterable<readonly WatchItem[]> {
  /**
   * To resume behind all items that were taken, also where those are none (rule WA3): the last ones count once more are asked for. Undefined while a snapshot is
   * under way.
   */
  readonly cursor: string | undefined;
  /** Idempotent. Nothing is told afterwards. */
  end(): void;
}

/** Bytes for those who watch. */
export interface PublicationOptions extends CallLimits {
  /** It is kept in the log and told to those who resume later, too. Default false: it goes to who watches now. */
  readonly retained?: boolean;
  /** What tells a repeat: scoped, see `scopeOpId`. */
  readonly opId: string;
}

/** One node's end of the bus. */
export interface WatchBus {
  readonly supports: WatchBusSupports;
  /**
   * Begins to watch: everything that happens from when this settles on is told. Throws `invalid_key`, `invalid_argument`, `invalid_cursor` for what is no cursor of this
   * bus or lies in the future, `aborted`, `space_not_found`.
   */
  watch(target: WatchTarget, options?: WatchOptions): Promise<Watch>;
  /**
   * Publishes to those who watch a key, or whose keys or prefixes begin with a prefix or begin it. Nothing is stored under the key. Gives where it stands in the log
   * where it is retained (a prefix: in each shard), else nothing. Throws `invalid_key`, `value_too_large` above 64 KiB, `invalid_op_id`, `op_id_expired`, `op_id_reused`.
   */
  publish(target: WatchTarget, payload: Payload, options: PublicationOptions): Promise<readonly Position[]>;
  /** Watches that are under way, by what they watch. */
  readonly watched: ReadonlyMap<string, number>;
  /** Ends every watch; idempotent. Calls after it are `warp_closed`. */
  close(): Promise<void>;
}

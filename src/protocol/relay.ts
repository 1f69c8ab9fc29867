/**
 * What a shard and its relays say to each other over RPC. A relay serves watchers in place of the shard: it is fed the log as it becomes durable and
 * asks for what it was not fed.
 */

import type { Payload } from "./payload.ts";
import type { RelayPresence } from "./presence.ts";
import type { ChangeKind, ListedKey } from "./shard-api.ts";
import type { Publication, PublicationKind, WatchTarget } from "./watch.ts";

/** A durable place in the log of one epoch. */
export interface RelayPosition {
  readonly epoch: string;
  readonly revision: number;
}

/** One entry of the log, with what it brought as far as that is kept. */
export interface RelayEntry {
  readonly revision: number;
  /** Its place among the entries of its revision. */
  readonly seq: number;
  readonly kind: ChangeKind | PublicationKind;
  readonly key: string;
  /** The key's version after it; 0: absent. */
  readonly version: number;
  readonly contentType: string | undefined;
  readonly payload?: Payload;
}

/** Durable entries of `(after, to]` of one epoch; those of one revision are always together. */
export interface RelayBatch {
  readonly epoch: string;
  readonly after: number;
  readonly to: number;
  readonly entries: readonly RelayEntry[];
  /** The shard's log reaches back to here: what is asked for after an earlier revision can't be told any more. */
  readonly floor: number;
  /** Shards of the space; 0 where the shard belongs to none. */
  readonly shards: number;
}

/** What a shard tells a relay unasked. */
export interface RelayFeed {
  readonly batch: RelayBatch;
  /** Publications that the log does not keep. */
  readonly messages: readonly Publication[];
  /** So many of them may have been left out before these. */
  readonly missed: number;
  /** As the relay has said it. */
  readonly turn: string;
  /** The space is gone, and all that watched it ends. */
  readonly ended?: true;
  /** Who is there beyond the relay's own watchers: for those who have reported theirs. */
  readonly presence?: RelayPresence;
  /** The shard wants to know who is there. */
  readonly asks?: true;
}

/** Where a relay stands, and for how many it does. */
export interface RelayReport {
  /** Absent: it has lost what it knew. */
  readonly at?: RelayPosition;
  readonly sessions: number;
  /** Names the time from its first watcher to its last: who leaves late does not end the next one. Absent: it does not know. */
  readonly turn?: string;
}

/** The part of a relay that its shard calls. */
export interface RelayApi {
  /** A batch that does not begin where the last one ended is taken all the same: the relay asks for what its watchers still need. */
  feed(feed: RelayFeed): Promise<RelayReport>;
}

/** A relay speaks up, and asks for a piece of the log. */
export interface RelayPull extends RelayReport {
  readonly relay: number;
  /** Of its object. */
  readonly name: string;
  /** Asks for entries after this revision; absent: for the head alone. */
  readonly after?: number;
  /** Who is there; from then on it is fed who else is. */
  readonly presence?: RelayPresence;
}

/** A relay asks for some keys as they are. */
export interface RelayStateRequest {
  /** The answer brings the entries after this revision, too. */
  readonly after: number;
  readonly target: WatchTarget;
  /** Only keys beyond this one. */
  readonly told?: string;
  readonly values: boolean;
}

export interface RelayStateReply {
  readonly batch: RelayBatch;
  /** The keys are as they are here: the batch may end before. */
  readonly at: RelayPosition;
  readonly items: readonly Pick<ListedKey, "key" | "version" | "payload">[];
  readonly more: boolean;
}

/** The part of a shard that its relays call. */
export interface RelayShardApi {
  /** Feeds the relay from now on; not any more where it says that it has no sessions. */
  pullRelay(request: RelayPull): Promise<RelayBatch>;
  relayState(request: RelayStateRequest): Promise<RelayStateReply>;
}

/** The name of a relay's object: shards' names have one slash. */
export function relayName(space: string, shard: number, relay: number): string {
  return `${space}/${shard}/relay/${relay}`;
}

/** The header of a shard's answer that sends a watcher to a relay, and of the request that follows it there. */
export const relayHeader = "Warp-Relay";

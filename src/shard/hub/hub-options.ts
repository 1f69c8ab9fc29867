import type { SessionBounds } from "../../protocol/config.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import type { DueSource } from "../alarms.ts";
import type { LockSessions } from "../lock/lock-instance.ts";
import type { LeaseGrants, Members } from "../members.ts";
import type { PublishedLog } from "../published-log.ts";
import type { Relays } from "../relay-feed/relays.ts";
import type { SubscriptionTable } from "../subscription-table.ts";
import type { WatchSource } from "../watch-source.ts";
import type { CheckSettings, SessionCalls } from "./calls.ts";
import type { HubSocket } from "./hub-socket.ts";
import type { PresenceBoard } from "./presence/presence-board.ts";
import type { Authenticate } from "./renewal.ts";

/** What a hub tells those who watch, and where it keeps what they watch. */
export interface HubWatching {
  readonly log: WatchSource;
  /** Who is shown where. Absent: nobody but the hub's own sessions need be known. */
  readonly presence?: PresenceBoard;
  readonly subscriptions: Pick<SubscriptionTable, "isOpen" | "save" | "load" | "drop" | "prune">;
  /** Those who serve watchers in its place. Absent: nobody does. */
  readonly relays?: Pick<Relays, "push" | "tell" | "end">;
}

/** A shard as its hub sees it. */
export interface HubShard extends SessionCalls {
  readonly published: Pick<PublishedLog, "position" | "page" | "isBehind" | "listen">;
  readonly watching: HubWatching;
  readonly elapsed: Clock;
  /** Of the space; see `welcome`. */
  readonly shards: number;
  /** Begins to work with members; gives the node leases. */
  serve(members: Members): LeaseGrants;
  /** Begins to work with the sessions that locks belong to. The answer is to be called when the socket of one has ended. */
  serveLocks(sessions: LockSessions): (session: string) => void;
  /** Has `source` run when it is due. The answer, called after its due time has changed, sets the alarm. */
  wakeFor(source: DueSource): () => void;
  /** Draws a new epoch: a node has seen what this log has never reached. */
  renew(): Promise<void>;
  /** Applies what was proposed around the shard, up to a place. Absent: nothing can be. */
  drain?(place: string): Promise<void>;
}

/** What a {@link Hub} is made of. */
export interface HubOptions {
  readonly shard: HubShard;
  /** Wall clock. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** The sockets that the host still has from an earlier instance; asked once, when they are first needed. Default none. */
  readonly sockets?: () => Iterable<HubSocket>;
  readonly checkSettings: CheckSettings;
  /** Looks at the tokens that sessions bring. Default: none is taken. */
  readonly authenticate?: Authenticate;
  /** Bounds of those who are no nodes. Default: 1,000 sockets and 20,000 watches of one subject, 200 messages a second. */
  readonly bounds?: SessionBounds;
  /** Sessions of those who watch only. Default 200. */
  readonly watchers?: number;
  /** Told when a session has ended. */
  readonly left?: () => void;
  /** Takes what failed unexpectedly. */
  readonly report: (error: unknown) => void;
}

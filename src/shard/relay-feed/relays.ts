import type { RelayPresence } from "../../protocol/presence.ts";
import type {
  RelayApi,
  RelayBatch,
  RelayPosition,
  RelayPull,
  RelayShardApi,
  RelayStateReply,
  RelayStateRequest,
} from "../../protocol/relay.ts";
import type { Publication } from "../../protocol/watch.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { relayDueMs } from "../../runtime/relay-limits.ts";
import type { Sql } from "../../runtime/sql.ts";
import type { DueSource } from "../alarms.ts";
import type { PresenceBoard } from "../hub/presence/presence-board.ts";
import type { PublishedLog } from "../published-log.ts";
import type { Residence } from "../residence.ts";
import { unwrittenEpoch } from "../unwritten.ts";
import type { WatchedLog } from "../watched-log.ts";
import { Batches } from "./batches.ts";
import { Placement } from "./placement.ts";
import { RelayLink } from "./relay-link.ts";
import { RelayTable } from "./relay-table.ts";

/** What {@link Relays} are made of. */
export interface RelaysOptions {
  readonly sql: Sql;
  readonly residence: Pick<Residence, "open">;
  readonly published: PublishedLog;
  readonly log: WatchedLog;
  readonly presence: PresenceBoard;
  /** Settles when all that was written is durable. */
  readonly durable: () => Promise<void>;
  /** Draws a new epoch: somebody has seen what this log has never reached. */
  readonly renew: () => Promise<void>;
  /** A way to the object of a relay that no earlier exception has broken. Absent: there are no relays. */
  readonly relay: ((name: string) => RelayApi) | undefined;
  /** Watchers of one relay. */
  readonly room: number;
  readonly clock: Clock;
  readonly timers: Timers;
}

/**
 * The relays of a shard. Which there are is kept; so is, now and then, how far they are known to be. Where that is not the end of the log an alarm is set in the very
 * transaction that wrote it: an instance that ends between its commit and its feed leaves no relay behind.
 */
export class Relays implements DueSource, RelayShardApi {
  readonly #options: RelaysOptions;
  readonly #table: RelayTable;
  readonly #batches: Batches;
  readonly #placement: Placement;
  readonly #links = new Map<number, RelayLink>();
  /** How far relays are noted to be. */
  readonly #noted = new Map<number, RelayPosition | undefined>();
  #dueMs: number | undefined;
  /** How often in a row it was looked, and some relay had not come on. */
  #stuck = 0;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#table = new RelayTable(options.sql);
    this.#batches = new Batches(options.log, options.residence);
    this.#placement = new Placement(options.room);
    const { presence } = options;
    presence.listen((change, source) => {
      for (const link of this.#links.values()) if (sourceOf(link.relay) !== source) link.show(change);
    });
    presence.whenUsed((isFirst) => {
      if (isFirst) for (const link of this.#links.values()) link.ask();
    });
    for (const { relay, name, at, sessions, turn } of this.#table.load()) {
      const link = this.#link(relay, name);
      link.at = at;
      link.sessions = sessions;
      link.turn = turn;
      this.#noted.set(relay, at);
      this.#placement.told(relay, sessions);
    }
    // What an instance before was about to tell.
    if (this.#isBehind()) options.timers.after(0, () => this.push());
  }

  /** Where one more watcher is to go; undefined: nowhere. `full`: a relay that had no room for it. */
  place(full?: number): number | undefined {
    if (this.#options.relay === undefined) return undefined;
    if (full !== undefined) this.#placement.full(full);
    return this.#placement.place();
  }

  /** Feeds all what is new; gives whether there are any. */
  push(): boolean {
    this.#batches.together(() => {
      for (const link of this.#links.values()) link.push();
    });
    return this.#links.size > 0;
  }

  /** Tells those who watch now of what the log does not keep. */
  tell(publication: Publication): void {
    for (const link of this.#links.values()) link.tell(publication);
  }

  /** The space is gone. */
  end(): void {
    for (const link of this.#links.values()) link.end();
  }

  async pullRelay(request: RelayPull): Promise<RelayBatch> {
    const { relay, sessions, turn, after, presence } = request;
    if (sessions > 0) await this.#hear(request);
    else if (this.#links.get(relay)?.turn === turn) this.#remove(relay, presence);
    if (presence !== undefined) this.#shown(relay, presence);
    const { published } = this.#options;
    // A new life of the log is told once it is durable.
    if (published.position === undefined) await published.settle();
    const head = published.position ?? published.written;
    return this.#batches.after(after ?? head.revision, head);
  }

  async relayState({ after, target, told, values }: RelayStateRequest): Promise<RelayStateReply> {
    const { log, published } = this.#options;
    let page = log.state(target, told, values);
    for (; page === "later"; page = log.state(target, told, values)) await log.comes();
    const { at, items, more } = page;
    // What was read may not be durable yet.
    await published.settle();
    const batch = this.#batches.after(Math.min(after, at.revision), at);
    return { batch, at, items, more };
  }

  /** When it is to be looked at whether all have what is written. */
  nextMs(): number | undefined {
    if (!this.#isBehind()) return undefined;
    this.#dueMs ??= this.#options.clock.now() + relayDueMs * 2 ** this.#stuck;
    return this.#dueMs;
  }

  run(): void {
    this.#dueMs = undefined;
    const hasComeOn = ({ relay, at }: RelayLink) => this.#hasAll(at) || !isSame(at, this.#noted.get(relay));
    this.#stuck = [...this.#links.values()].every(hasComeOn) ? 0 : Math.min(this.#stuck + 1, 8);
    this.#note();
    // What is being written with this is durable then.
    if (this.#isBehind()) this.#options.timers.after(1, () => this.push());
  }

  /** Whether more is written than some relay is noted to have. */
  #isBehind(): boolean {
    for (const at of this.#noted.values()) if (!this.#hasAll(at)) return true;
    return false;
  }

  #hasAll(at: RelayPosition | undefined): boolean {
    return at !== undefined && isSame(at, this.#options.published.written);
  }

  async #hear(request: RelayPull): Promise<void> {
    const { relay, name } = request;
    const link = this.#links.get(relay) ?? this.#link(relay, name);
    link.heard(request);
    if (!this.#noted.has(relay)) {
      this.#note();
      // It relies on being fed from now on, whatever instance this is.
      await this.#options.durable();
    }
    link.push();
  }

  #link(relay: number, name: string): RelayLink {
    const { relay: open, timers } = this.#options;
    const link = new RelayLink({
      relay,
      name,
      open: () => {
        if (open === undefined) throw new Error("no relays");
        return open(name);
      },
      next: (at) => this.#next(at),
      others: () => this.#options.presence.others(sourceOf(relay)),
      told: ({ at, sessions }) => {
        if (this.#links.get(relay) !== link) return;
        this.#placement.told(relay, Math.max(1, sessions));
        // It has seen what was never written: the storage was set back.
        if (at !== undefined && this.#options.published.isBehind(at)) {
          this.#options.renew().catch(() => undefined);
        }
      },
      timers,
    });
    this.#links.set(relay, link);
    return link;
  }

  #next(at: RelayPosition | undefined): { readonly batch: RelayBatch; readonly isAll: boolean } | undefined {
    const head = this.#options.published.position;
    if (head === undefined) return undefined;
    // The first epoch of a log begins where that of a shard that was never written to has ended.
    const isFirst = at?.epoch === unwrittenEpoch;
    const from = at?.epoch === head.epoch ? at.revision : isFirst ? 0 : head.revision;
    const batch = this.#batches.after(Math.min(from, head.revision), head);
    return { batch, isAll: batch.to === head.revision };
  }

  #shown(relay: number, told: RelayPresence): void {
    const link = this.#links.get(relay);
    if (link === undefined) return;
    const { presence } = this.#options;
    presence.use();
    presence.take(told, sourceOf(relay));
    if (told.all) link.showAll();
  }

  #remove(relay: number, presence: RelayPresence | undefined): void {
    this.#options.presence.replace(sourceOf(relay), presence?.changes);
    this.#placement.told(relay, 0);
    this.#links.get(relay)?.stop();
    if (!this.#links.delete(relay)) return;
    this.#noted.delete(relay);
    this.#note();
  }

  #note(): void {
    for (const { relay, at } of this.#links.values()) this.#noted.set(relay, at);
    this.#table.save(
      [...this.#links.values()].map(({ relay, name, at, sessions, turn }) => ({
        relay,
        name,
        turn,
        sessions,
        ...(at === undefined ? {} : { at }),
      })),
    );
  }
}

/** Where the members of a relay come from. */
function sourceOf(relay: number): string {
  return `relay ${relay}`;
}

function isSame(one: RelayPosition | undefined, other: RelayPosition | undefined): boolean {
  return one?.epoch === other?.epoch && one?.revision === other?.revision;
}

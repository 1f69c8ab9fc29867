import type { Publication } from "../../protocol/watch.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import type { PublishedLog } from "../published-log.ts";
import { Feed } from "./feed.ts";
import type { HubWatching } from "./hub-options.ts";
import { Pacer } from "./pacer.ts";
import { Presence } from "./presence/presence.ts";
import { PresenceBoard } from "./presence/presence-board.ts";
import { keepMs, type Session } from "./session.ts";
import { SlowSessions } from "./slow-sessions.ts";
import { Watches } from "./watch/watches.ts";

/** What {@link Pushes} are made of. */
export interface PushesOptions {
  readonly shard: {
    readonly published: Pick<PublishedLog, "position" | "page">;
    readonly watching: HubWatching;
    readonly elapsed: Clock;
  };
  readonly followers: () => Iterable<Session>;
  /** Watches of all sessions of one subject. */
  readonly watchesPerSubject: number;
  /** Finds the sessions from before, once. */
  readonly wake: () => void;
  readonly close: (session: Session, code: number, reason: string) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly report: (error: unknown) => void;
}

/** What sessions are told unasked: the log to those that follow it, and to those that watch what they want of it. Both are kept in step. */
export class Pushes {
  readonly feed: Feed;
  readonly watches: Watches;
  readonly presence: Presence;
  readonly slow: SlowSessions;
  readonly #pacer: Pacer;
  readonly #relays: HubWatching["relays"];
  readonly #after: Timers["after"];
  #isUnsettled = false;

  constructor({
    shard,
    followers,
    watchesPerSubject,
    wake,
    close,
    clock,
    timers,
    random,
    report,
  }: PushesOptions) {
    const { elapsed, published } = shard;
    const { log, subscriptions: table, relays, presence: board = new PresenceBoard() } = shard.watching;
    this.#relays = relays;
    this.#after = (delayMs, run) => timers.after(delayMs, run);
    this.slow = new SlowSessions({ close, resume: (session) => this.#resume(session), elapsed, timers });
    const slow = (session: Session) => this.slow.add(session);
    this.feed = new Feed({ log: published, followers, slow, clock });
    const failed = (session: Session, error: unknown) => {
      report(error);
      close(session, closeCodes.overloaded, "internal: the watch failed; resume on a new socket");
    };
    this.presence = new Presence({ board, wake, slow, clock, elapsed, timers, random, report });
    const { presence } = this;
    this.watches = new Watches({
      log,
      table,
      watchesPerSubject,
      presence,
      slow,
      clock,
      elapsed,
      timers,
      failed,
    });
    this.#pacer = new Pacer({ push: () => this.#push(), elapsed, timers, report });
  }

  /** The log has grown. */
  grown(): void {
    this.#pacer.grown();
  }

  /** Tells those who watch now of what the log does not keep. */
  tell(publication: Publication): void {
    this.watches.tell(publication);
    this.#relays?.tell(publication);
  }

  #push(): boolean {
    const [followed, watched] = [this.feed.push(), this.watches.push()];
    const relayed = this.#relays?.push() === true;
    if (followed || watched) this.#settleLater();
    return followed || watched || relayed;
  }

  /**
   * Positions are noted once a second; the last of them soon after. The next instance may wake when the log has long been trimmed: who stands a little before its end would be told
   * of a gap.
   */
  #settleLater(): void {
    if (this.#isUnsettled) return;
    this.#isUnsettled = true;
    this.#after(keepMs, () => {
      this.#isUnsettled = false;
      this.feed.settle();
      this.watches.settle();
    });
  }

  #resume(session: Session): void {
    if (session.said?.follow === true) this.feed.pushTo(session);
    this.watches.resume(session);
    this.presence.resume(session);
  }
}

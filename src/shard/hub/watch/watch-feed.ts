import type { Clock } from "../../../runtime/clock.ts";
import { maxPushLag, maxSilentRevisions, watchProgressMs } from "../../../runtime/limits.ts";
import type { LogPosition } from "../../published-log.ts";
import { unwrittenEpoch } from "../../unwritten.ts";
import type { WatchSource } from "../../watch-source.ts";
import type { Session } from "../session.ts";
import { SharedFrame } from "../session-codec.ts";
import { eventsFrame, type Selection } from "./filter-set.ts";
import type { Subscription } from "./subscription.ts";
import { WatchPage } from "./watch-page.ts";
import type { Watcher } from "./watcher.ts";

/** What a {@link WatchFeed} is made of. */
export interface WatchFeedOptions {
  readonly log: WatchSource;
  /** Told that a session has not taken in enough to get more. */
  readonly slow: (session: Session) => void;
  readonly elapsed: Clock;
}

/** A selection as a frame; without one where there is nothing. */
interface Framed {
  readonly to: number;
  readonly frame: SharedFrame | undefined;
}

/** Pages and frames that were made for one session and may serve the next. */
export class Shared {
  readonly pages: WatchPage[] = [];
  /** By the revision that they come after, and the key of the set. */
  readonly #frames = new Map<number, Map<string, Framed>>();

  framesAfter(revision: number): Map<string, Framed> {
    const known = this.#frames.get(revision) ?? new Map<string, Framed>();
    this.#frames.set(revision, known);
    return known;
  }
}

/**
 * Tells live subscriptions what is new: one frame for all of a session, the same text for all sessions that want the same and stand at the same place. As for
 * nodes the log is the queue: a session has a position, and what it is not told now it is told from there.
 */
export class WatchFeed {
  readonly #options: WatchFeedOptions;

  constructor(options: WatchFeedOptions) {
    this.#options = options;
  }

  /** Tells one session what its live subscriptions don't know yet, as far as it takes things in. */
  advance(watcher: Watcher, shared: Shared): void {
    const { log, elapsed } = this.#options;
    const head = log.position;
    const { session } = watcher;
    if (head === undefined || !session.isOpen) return;
    if (watcher.at.epoch !== head.epoch) this.#changeEpoch(watcher, head);
    if (head.revision - watcher.at.revision > maxPushLag) this.#giveUp(watcher, head);
    while (watcher.at.revision < head.revision) {
      const set = watcher.live;
      if (set === undefined) {
        watcher.at = head;
        break;
      }
      if (session.slowSinceMs !== undefined) return;
      if (session.isSlow) {
        this.#options.slow(session);
        return;
      }
      const { revision } = watcher.at;
      const frames = shared.framesAfter(revision);
      let framed = frames.get(set.key);
      if (framed === undefined) {
        const page = this.page(revision, head.revision, shared);
        if (page === "later") return;
        if (page === undefined) {
          this.gapAll(watcher, head, "compacted");
          return;
        }
        framed = frameOf(undefined, head.epoch, revision, set.select(page, revision));
        frames.set(set.key, framed);
      }
      watcher.at = { epoch: head.epoch, revision: framed.to };
      if (framed.frame !== undefined) {
        session.push(framed.frame);
        watcher.told = watcher.at;
        watcher.toldAtMs = elapsed.now();
      }
    }
    this.#progress(watcher);
  }

  /** A page that begins at `after` or goes on from there, up to `upTo`; undefined where the log does not reach back so far. */
  page(after: number, upTo: number, { pages }: Shared): WatchPage | "later" | undefined {
    const known = pages.find((page) => page.after <= after && after < page.to && page.to <= upTo);
    if (known !== undefined) return known;
    const { log } = this.#options;
    const found = log.page(after, upTo);
    if (found === "later" || found === undefined) return found;
    const page = new WatchPage(found, log.sizes.bytes, (head) => log.payload(head));
    pages.push(page);
    return page;
  }

  /** All live subscriptions have missed something: they are told the state instead. */
  gapAll(watcher: Watcher, head: LogPosition, why: "compacted" | "epoch"): void {
    for (const subscription of watcher.subscriptions.values()) {
      if (subscription.stage === "live") this.gap(watcher, subscription, head, why);
    }
    watcher.at = head;
  }

  /** One subscription has missed something: never a quiet hole. */
  gap(
    watcher: Watcher,
    subscription: Subscription,
    head: LogPosition,
    why: "compacted" | "epoch" | "slow",
  ): void {
    const { epoch, revision } = head;
    watcher.session.send({ t: "gap", id: subscription.id, epoch, to: revision, why });
    subscription.at = head;
    subscription.restart();
    watcher.changed();
  }

  /** The first epoch of a log begins where the log of a shard that was never written to has ended. */
  #changeEpoch(watcher: Watcher, head: LogPosition): void {
    if (watcher.at.epoch === unwrittenEpoch) watcher.at = { epoch: head.epoch, revision: 0 };
    else this.gapAll(watcher, head, "epoch");
  }

  /** Too far behind: who wants the newest only gets the state instead of all that has been. */
  #giveUp(watcher: Watcher, head: LogPosition): void {
    for (const subscription of watcher.subscriptions.values()) {
      if (subscription.stage === "live" && subscription.filter.mode !== "all") {
        this.gap(watcher, subscription, head, "slow");
      }
    }
  }

  /** Cursors move also where there is nothing to be told. Without a timer, which would keep the object awake. */
  #progress(watcher: Watcher): void {
    const { at, told, session } = watcher;
    const nowMs = this.#options.elapsed.now();
    if (watcher.live === undefined || (at.epoch === told.epoch && at.revision === told.revision)) return;
    const isFar =
      at.revision - told.revision >= maxSilentRevisions || nowMs - watcher.toldAtMs >= watchProgressMs;
    if (at.epoch === told.epoch && !isFar) return;
    const { epoch, revision } = at;
    session.send({ t: "we", epoch, after: told.epoch === epoch ? told.revision : 0, to: revision, es: [] });
    watcher.told = at;
    watcher.toldAtMs = nowMs;
  }
}

/** A selection as a frame. */
export function frameOf(id: number | undefined, epoch: string, after: number, selection: Selection): Framed {
  const { to, texts } = selection;
  if (texts.length === 0) return { to, frame: undefined };
  return { to, frame: new SharedFrame(eventsFrame(id, epoch, after, selection)) };
}

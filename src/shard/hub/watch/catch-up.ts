import { compareKeys } from "../../../protocol/key.ts";
import { encodeFrame } from "../../../protocol/wire/json.ts";
import type { WireState } from "../../../protocol/wire/watch-frames.ts";
import { toBase64 } from "../../../runtime/bytes.ts";
import type { LogPosition } from "../../published-log.ts";
import { unwrittenEpoch } from "../../unwritten.ts";
import type { StatePage, WatchSource } from "../../watch-source.ts";
import type { Session } from "../session.ts";
import type { Concern } from "./filter-index.ts";
import { eventsFrame, type Selection } from "./filter-set.ts";
import type { Subscription } from "./subscription.ts";
import { frameOf, type Shared, type WatchFeed } from "./watch-feed.ts";
import type { Watcher } from "./watcher.ts";

/** What a {@link CatchUp} is made of. */
export interface CatchUpOptions {
  readonly log: WatchSource;
  readonly feed: WatchFeed;
  /** Told that a session has not taken in enough to get more. */
  readonly slow: (session: Session) => void;
}

/**
 * Brings subscriptions to where their session stands: by the log as far as it reaches, else by the state. A snapshot is told in pages, each true for the moment at
 * which it is read; between two pages come the changes of keys that were told before. So all told keys are always those of one moment, no change is told twice,
 * and from the last page the log goes on.
 */
export class CatchUp {
  readonly #options: CatchUpOptions;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  /**
   * Goes on with all that are not live, those that are furthest behind first: what stands at one place reads the log once. Gives whether there is more to
   * be done in a moment, since one stretch does not do too much.
   */
  run(watcher: Watcher, shared: Shared): boolean {
    const { log, slow } = this.#options;
    const { session } = watcher;
    const idle = new Set<Subscription>();
    const limit = shared.pages.length + log.sizes.pages;
    let snapshots = 0;
    for (;;) {
      if (!session.isOpen || session.slowSinceMs !== undefined || !this.#release(watcher)) return false;
      const next = furthestBehind(watcher.subscriptions.values(), idle);
      if (next === undefined) return false;
      if (session.isSlow) {
        slow(session);
        return false;
      }
      if (shared.pages.length + snapshots >= limit) return true;
      if (next.stage === "snapshot") snapshots++;
      const goesOn =
        next.stage === "replay" ? this.#replay(watcher, next, shared) : this.#snapshot(watcher, next, shared);
      if (!goesOn) idle.add(next);
    }
  }

  /** Sends the page that waited for its commit, if it need not wait any more. False: it does. */
  #release(watcher: Watcher): boolean {
    const { held } = watcher;
    if (held === undefined) return true;
    const { log } = this.#options;
    const { position } = log;
    if (log.written.epoch !== held.at.epoch) {
      watcher.held = undefined;
      return true;
    }
    if (position?.epoch !== held.at.epoch || position.revision < held.at.revision) return false;
    watcher.held = undefined;
    held.send();
    return true;
  }

  /** One page of the log. False: there is nothing to do now. */
  #replay(watcher: Watcher, subscription: Subscription, shared: Shared): boolean {
    const { log, feed } = this.#options;
    const head = log.position;
    const { session, at } = watcher;
    if (head === undefined || at.epoch !== head.epoch) return false;
    if (subscription.at.epoch !== head.epoch) {
      if (subscription.at.epoch !== unwrittenEpoch) feed.gap(watcher, subscription, head, "epoch");
      else subscription.at = { epoch: head.epoch, revision: 0 };
      return true;
    }
    const { revision } = subscription.at;
    if (revision > at.revision) return false;
    if (revision === at.revision) {
      subscription.stage = "live";
      watcher.changed();
      session.send({ t: "on", id: subscription.id, ...at, live: true });
      return true;
    }
    const page = feed.page(revision, at.revision, shared);
    if (page === "later") return false;
    if (page === undefined) {
      feed.gap(watcher, subscription, head, "compacted");
      return true;
    }
    const selection = watcher.setOf(subscription).select(page, revision);
    const { to, frame } = frameOf(subscription.id, head.epoch, revision, selection);
    if (frame !== undefined) session.push(frame);
    subscription.at = { epoch: head.epoch, revision: to };
    return true;
  }

  /** One page of the state, and before it the changes of what was told. False: there is nothing to do now. */
  #snapshot(watcher: Watcher, subscription: Subscription, shared: Shared): boolean {
    const { log, feed } = this.#options;
    const { written, position } = log;
    if (position === undefined) return false;
    const { id, begun } = subscription;
    if (begun && subscription.at.epoch !== written.epoch) {
      feed.gap(watcher, subscription, position, "epoch");
      return true;
    }
    const page = this.#page(subscription, written);
    if (page === "later") return false;
    const { at, items, more } = page;
    const before = subscription.at.revision;
    const changes = begun ? this.#changes(watcher, subscription, at, shared) : { to: at.revision, texts: [] };
    if (changes === "later") return false;
    if (changes === undefined) {
      feed.gap(watcher, subscription, position, "compacted");
      return true;
    }
    const here = { epoch: at.epoch, revision: changes.to };
    const texts = changes.texts.length === 0 ? [] : [eventsFrame(id, here.epoch, before, changes)];
    // Where much has happened meanwhile that comes frame by frame, and only then the next keys.
    const isNext = here.revision === at.revision;
    if (isNext) {
      texts.push(
        encodeFrame({
          t: "snap",
          id,
          epoch: at.epoch,
          to: at.revision,
          es: items.map(stateRow),
          ...(begun ? {} : { first: true }),
          ...(more ? {} : { done: true }),
        }),
      );
    }
    watcher.held = {
      at: here,
      send: () => {
        if (watcher.subscriptions.get(id) !== subscription) return;
        for (const text of texts) watcher.session.push(text);
        // Not before: an instance that ends meanwhile must not leave behind that this was told.
        subscription.at = here;
        if (!isNext) return;
        subscription.begun = true;
        subscription.told = items.at(-1)?.key ?? subscription.told;
        if (more) return;
        subscription.stage = "replay";
        watcher.changed();
      },
    };
    return this.#release(watcher);
  }

  /** What has happened since the page before to keys that were told, as much as a frame holds; undefined where the log does not reach back so far. */
  #changes(
    watcher: Watcher,
    subscription: Subscription,
    { revision: upTo }: LogPosition,
    shared: Shared,
  ): Selection | "later" | undefined {
    const { told = "" } = subscription;
    const within = ({ kind, key }: Concern) => kind.startsWith("publish") || compareKeys(key, told) <= 0;
    const set = watcher.setOf(subscription);
    let found: Selection = { to: subscription.at.revision, texts: [] };
    while (found.texts.length === 0 && found.to < upTo) {
      const page = this.#options.feed.page(found.to, upTo, shared);
      if (page === "later" || page === undefined) return page;
      found = set.select(page, found.to, within);
    }
    return found;
  }

  #page(subscription: Subscription, written: LogPosition): StatePage | "later" {
    const { filter, told, at } = subscription;
    const { target, mode, ops } = filter;
    if (ops?.includes("set") === false) return { at: written, items: [], more: false };
    return this.#options.log.state(target, told, mode !== "keys", at);
  }
}

function stateRow({ key, version, payload }: StatePage["items"][number]): WireState {
  if (payload === undefined) return [key, version];
  return [key, version, payload.contentType, toBase64(payload.bytes)];
}

/** Of those that are not live and have something to do: replays before snapshots. */
function furthestBehind(
  subscriptions: Iterable<Subscription>,
  idle: ReadonlySet<Subscription>,
): Subscription | undefined {
  let found: Subscription | undefined;
  for (const one of subscriptions) {
    if (one.stage === "live" || idle.has(one)) continue;
    const isBefore =
      found === undefined ||
      (one.stage === "replay" && (found.stage === "snapshot" || one.at.revision < found.at.revision));
    if (isBefore) found = one;
  }
  return found;
}

import type { PresenceChange } from "../../protocol/presence.ts";
import type { RelayApi, RelayBatch, RelayFeed, RelayPosition, RelayReport } from "../../protocol/relay.ts";
import type { Publication } from "../../protocol/watch.ts";
import type { Timers } from "../../runtime/clock.ts";
import { maxWaitingPublications, maxWatchQueueBytes } from "../../runtime/limits.ts";
import { relayFeedTimeoutMs, relayRetryBaseMs, relayRetryCapMs } from "../../runtime/relay-limits.ts";

import { PresenceQueue } from "../hub/presence/presence-queue.ts";

/** What a {@link RelayLink} is made of. */
export interface RelayLinkOptions {
  readonly relay: number;
  /** Of its object. */
  readonly name: string;
  /** A way to the relay's object that no earlier exception has broken. */
  readonly open: () => RelayApi;
  /** What a relay that stands at `at` is to be fed next, and whether that is all; undefined: nothing can be told now. */
  readonly next: (
    at: RelayPosition | undefined,
  ) => { readonly batch: RelayBatch; readonly isAll: boolean } | undefined;
  /** Told what the relay has said of itself. */
  readonly told: (link: RelayLink) => void;
  /** Who is there elsewhere than at this relay. */
  readonly others: () => Iterable<PresenceChange>;
  readonly timers: Timers;
}

/** One relay: one feed is under way to it at a time, and what comes meanwhile goes together with the next. */
export class RelayLink {
  readonly relay: number;
  readonly name: string;
  /** How far it has said that it is; undefined: this instance has not heard of it. */
  at: RelayPosition | undefined;
  sessions = 0;
  turn = "";
  readonly #options: RelayLinkOptions;
  #isBusy = false;
  #isOver = false;
  #failures = 0;
  #messages: Publication[] = [];
  #messageBytes = 0;
  #missed = 0;
  #isEnding = false;
  /** What it is to be told of who is there, once it has said that anybody there wants to know. */
  readonly #presence: PresenceQueue;
  #wantsPresence = false;
  #asks = false;

  constructor(options: RelayLinkOptions) {
    this.#options = options;
    this.relay = options.relay;
    this.name = options.name;
    this.#presence = new PresenceQueue(options.others);
  }

  /** Feeds it what it does not have, unless a feed is under way: then right after that one. */
  push(): void {
    if (this.#isBusy || this.#isOver) return;
    const next = this.#options.next(this.at);
    if (next === undefined) return;
    const { batch, isAll } = next;
    const isNews = this.at?.epoch !== batch.epoch || this.at.revision < batch.to;
    if (!isNews && this.#messages.length + this.#missed === 0 && !this.#isEnding && !this.#hasPresence)
      return;
    // They come behind all entries that were there before them.
    const [messages, missed] = isAll ? [this.#messages, this.#missed] : [[], 0];
    if (isAll) this.#clear();
    void this.#send({
      batch,
      messages,
      missed,
      turn: this.turn,
      ...(this.#isEnding ? { ended: true } : {}),
      ...this.#toldPresence(),
    });
  }

  /** Tells it what the log does not keep, behind all that was durable before. */
  tell(publication: Publication): void {
    const size = publication.payload.bytes.length;
    if (this.#messages.length < maxWaitingPublications && this.#messageBytes + size <= maxWatchQueueBytes) {
      this.#messages.push(publication);
      this.#messageBytes += size;
    } else this.#missed++;
    this.push();
  }

  /** Somebody wants to know who is there, and nobody has said yet. */
  ask(): void {
    this.#asks = true;
    this.push();
  }

  /** A member elsewhere shows something else. */
  show(change: PresenceChange): void {
    this.#presence.add(change);
    if (this.#wantsPresence) this.push();
  }

  /** It knows nothing, and wants to know who is there. */
  showAll(): void {
    this.#wantsPresence = true;
    this.#presence.restart();
    this.push();
  }

  /** The space is gone. */
  end(): void {
    this.#isEnding = true;
    this.push();
  }

  /** It needs nothing any more. */
  stop(): void {
    this.#isOver = true;
  }

  /** What the relay itself says is true, whatever was thought before. */
  heard({ at, sessions, turn = this.turn }: RelayReport): void {
    this.at = at;
    this.turn = turn;
    this.sessions = sessions;
    this.#options.told(this);
  }

  async #send(feed: RelayFeed): Promise<void> {
    this.#isBusy = true;
    try {
      const report = await this.#fed(feed);
      this.#failures = 0;
      this.#isBusy = false;
      if (feed.ended) this.#isEnding = false;
      if (feed.asks) this.#asks = false;
      this.heard(report);
      // Who has no sessions takes nothing in, and is about to say so.
      if (report.sessions > 0) this.push();
    } catch {
      // It may have been told or not: entries are told again, and what is no entry is owned up to.
      this.#missed += feed.messages.length + feed.missed;
      if (feed.presence !== undefined) this.#presence.restart(feed.presence.changes);
      const waitMs = Math.min(relayRetryCapMs, relayRetryBaseMs * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, 10);
      this.#options.timers.after(waitMs, () => {
        this.#isBusy = false;
        this.push();
      });
    }
  }

  get #hasPresence(): boolean {
    return this.#asks || (this.#wantsPresence && !this.#presence.isEmpty);
  }

  #toldPresence(): Pick<RelayFeed, "presence" | "asks"> {
    const presence = this.#wantsPresence ? this.#presence.take() : undefined;
    return { ...(presence && { presence }), ...(this.#asks ? { asks: true } : {}) };
  }

  #clear(): void {
    this.#messages = [];
    this.#messageBytes = 0;
    this.#missed = 0;
  }

  /** A relay that does not answer must not be waited for for ever. */
  #fed(feed: RelayFeed): Promise<RelayReport> {
    return new Promise((resolve, reject) => {
      const stop = this.#options.timers.after(relayFeedTimeoutMs, () => reject(new Error("no answer")));
      this.#options.open().feed(feed).then(resolve, reject).finally(stop);
    });
  }
}

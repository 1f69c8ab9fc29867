import type { Pushes, PushListener } from "../../protocol/pushes.ts";
import { wireProtocols, wireVersion } from "../../protocol/wire/frames.ts";
import type { Background } from "../../runtime/background.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import {
  connectTimeoutMs,
  reconnectBaseMs,
  reconnectCapMs,
  refusedHoldMs,
  subscriptionMs,
  unusedSocketMs,
} from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import type { ShardConnection } from "../shard-connection.ts";
import { Backoff } from "./backoff.ts";
import type { SessionEnd } from "./close.ts";
import { deliverInvalidation, deliverPush, deliverWelcome } from "./deliver.ts";
import { NodeLease } from "./node-lease.ts";
import { PushCursor } from "./push-cursor.ts";
import { Session } from "./session.ts";

/** What {@link subscribed} takes. */
export interface SubscriptionOptions {
  /** Names the node for its life: 8 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly node: string;
  /** Opens a socket to a shard, on behalf of the work that runs now. */
  readonly sockets: (shard: number) => SocketFactory;
  /** Holds a subscription while it lasts. */
  readonly background: Background;
  readonly clock: Clock;
  /** Of the work that runs now: they may end with it. */
  readonly timers: Timers;
  readonly random: Random;
  /** Takes what went wrong beyond a subscription that ended. */
  readonly onError: (error: unknown) => void;
}

/** Past this much more time than it should have lasted, a subscription is taken for dead: whoever held it may have gone without a word. */
const overdueMs = 5_000;

/**
 * `connection` with pushes, for a node that can't hold a socket for long: an isolate, whose sockets belong to the request that opened them. The first
 * use of a shard opens a subscription that the work behind it holds for at most 25 s; the next use after that opens the next one, which
 * goes on where the last one ended. One at a time for each shard, and never in the way of a call. There is no node lease: strong keys are read at the shard.
 */
export function subscribed(connection: ShardConnection, options: SubscriptionOptions): ShardConnection {
  const subscriptions = new Subscriptions(options);
  const { ready } = connection;
  return {
    space: connection.space,
    shard: (index) => connection.shard(index),
    ...(ready === undefined ? {} : { ready: (index: number) => ready.call(connection, index) }),
    used: (index) => subscriptions.used(index),
    pushes: subscriptions,
    fault: (error) => connection.fault(error),
    close: async () => {
      subscriptions.close();
      await connection.close();
    },
  };
}

/** What is known of one shard's subscriptions. */
interface Place {
  readonly cursor: PushCursor;
  readonly backoff: Backoff;
  session: Session | undefined;
  /** When the present one has to have ended; before which none is to be opened, if there is none. */
  untilMs: number;
  endedAtMs: number;
}

class Subscriptions implements Pushes {
  readonly #options: SubscriptionOptions;
  readonly #listeners = new Set<PushListener>();
  readonly #places = new Map<number, Place>();
  #closed = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  listen(listener: PushListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  servesUntilMs(): number {
    return Number.NEGATIVE_INFINITY;
  }

  /** No socket is touched: each belongs to the work that opened it, and ends with it. */
  close(): void {
    this.#closed = true;
    this.#places.clear();
    this.#listeners.clear();
  }

  used(shard: number): void {
    if (this.#closed || this.#listeners.size === 0) return;
    const nowMs = this.#options.clock.now();
    const place = this.#place(shard);
    if (nowMs < place.untilMs) return;
    const endedAtMs = place.session === undefined ? place.endedAtMs : place.untilMs;
    // A replay of all that happened since would cost more than asking for it.
    if (nowMs - endedAtMs > unusedSocketMs) place.cursor.jump(undefined);
    try {
      this.#open(shard, place, nowMs);
    } catch (error) {
      // A call must not fail because nobody listens along.
      place.session = undefined;
      place.untilMs = nowMs + reconnectCapMs;
      this.#options.onError(error);
    }
  }

  #place(shard: number): Place {
    let place = this.#places.get(shard);
    if (place === undefined) {
      const backoff = new Backoff(this.#options.random, { baseMs: reconnectBaseMs, capMs: reconnectCapMs });
      place = { cursor: new PushCursor(shard), backoff, session: undefined, untilMs: 0, endedAtMs: 0 };
      this.#places.set(shard, place);
    }
    return place;
  }

  #open(shard: number, place: Place, nowMs: number): void {
    const { node, sockets, timers, clock, background } = this.#options;
    let release = (): void => {};
    background.run(
      new Promise<void>((resolve) => {
        release = resolve;
      }),
    );
    const lease = new NodeLease(clock, () => 0);
    const isCurrent = (): boolean => place.session === session && !this.#closed;
    const session: Session = new Session(
      { sockets: sockets(shard), timers, elapsed: clock, lease, connectTimeoutMs, beats: false },
      {
        welcomed: (frame) => {
          if (isCurrent()) deliverWelcome(this.#listeners, shard, place.cursor, frame);
        },
        pushed: (frame) => {
          if (isCurrent()) deliverPush(this.#listeners, shard, place.cursor, frame);
        },
        invalidate: (invalidation) => deliverInvalidation(this.#listeners, shard, invalidation),
        go: () => session.leave("the shard asked for it"),
        beat: () => {},
        ended: (end) => {
          stop();
          release();
          if (isCurrent()) this.#ended(shard, place, end);
        },
      },
    );
    const stop = timers.after(subscriptionMs, () => {
      place.backoff.reset();
      session.leave("its time is over");
    });
    place.session = session;
    place.untilMs = nowMs + subscriptionMs + overdueMs;
    const cursor = place.cursor.position;
    session.open("", [wireProtocols.json], {
      t: "hello",
      v: wireVersion,
      node,
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  #ended(shard: number, place: Place, end: SessionEnd): void {
    const nowMs = this.#options.clock.now();
    place.session = undefined;
    place.endedAtMs = nowMs;
    if (end.next === "refused") {
      place.untilMs = nowMs + refusedHoldMs;
      this.#options.onError(end.error);
    } else place.untilMs = end.next === "later" ? nowMs + place.backoff.next() : nowMs;
    for (const listener of this.#listeners) listener.lost(shard);
  }
}

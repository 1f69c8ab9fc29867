import type { Pushes, PushListener } from "../../protocol/pushes.ts";
import { wireVersion } from "../../protocol/wire/frames.ts";
import { innerFrames } from "../../protocol/wire/inner-frames.ts";
import type { Background } from "../../runtime/background.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import {
  connectTimeoutMs,
  maxSubscriptions,
  reconnectBaseMs,
  reconnectCapMs,
  refusedHoldMs,
  renewSubscriptionMs,
  subscriptionMs,
  unusedSocketMs,
} from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import type { ShardConnection } from "../shard-connection.ts";
import { Backoff } from "./backoff.ts";
import type { SessionEnd } from "./close.ts";
import { deliverInvalidation, deliverPush, deliverWelcome } from "./deliver.ts";
import { PushCursor } from "./push-cursor.ts";
import { Session } from "./session.ts";
import { noLease } from "./session-lease.ts";

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

/** A {@link ShardConnection} with pushes by subscriptions. */
export interface SubscribedConnection extends ShardConnection {
  /**
   * The node is in use, though perhaps no shard was asked: opens one of the subscriptions of shards that were used before, if it is due. Never throws.
   */
  renew(): void;
}

/**
 * `connection` with pushes, for a node that can't hold a socket for long: an isolate, whose sockets belong to the request that opened them. The first
 * use of a shard opens a subscription that the work behind it holds for at most 25 s. From 20 s on the next use opens the next one, which goes on where
 * the last one ended; whoever holds that one may also have gone without a word. Never in the way of a call. There is no node lease: strong keys
 * are read at the shard.
 */
export function subscribed(connection: ShardConnection, options: SubscriptionOptions): SubscribedConnection {
  const subscriptions = new Subscriptions(options);
  const { ready } = connection;
  return {
    space: connection.space,
    node: options.node,
    shard: (index) => connection.shard(index),
    ...(ready === undefined ? {} : { ready: (index: number) => ready.call(connection, index) }),
    used: (index) => subscriptions.used(index),
    renew: () => subscriptions.renew(),
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
  /** The one whose pushes count. */
  session: Session | undefined;
  /** The one that was opened last: it takes over with its welcome. */
  newest: Session | undefined;
  /** Before this none is opened. */
  dueAtMs: number;
  /** When the last one ended, or will have. */
  endsAtMs: number;
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
    const place = this.#places.get(shard) ?? this.#newPlace(shard);
    if (place !== undefined) this.#openIfDue(shard, place, this.#options.clock.now());
  }

  renew(): void {
    if (this.#places.size === 0) return;
    const nowMs = this.#options.clock.now();
    for (const [shard, place] of this.#places) {
      // One at a time: what a request may open is limited, and it has work of its own.
      if (nowMs - place.endsAtMs <= unusedSocketMs && this.#openIfDue(shard, place, nowMs)) return;
    }
  }

  #newPlace(shard: number): Place | undefined {
    if (this.#places.size >= maxSubscriptions) return undefined;
    const backoff = new Backoff(this.#options.random, { baseMs: reconnectBaseMs, capMs: reconnectCapMs });
    const place = {
      cursor: new PushCursor(shard),
      backoff,
      session: undefined,
      newest: undefined,
      dueAtMs: Number.NEGATIVE_INFINITY,
      endsAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#places.set(shard, place);
    return place;
  }

  #openIfDue(shard: number, place: Place, nowMs: number): boolean {
    if (nowMs < place.dueAtMs || this.#closed || this.#listeners.size === 0) return false;
    // A replay of all that happened since would cost more than asking for it.
    if (nowMs - place.endsAtMs > unusedSocketMs) place.cursor.jump(undefined);
    try {
      this.#open(shard, place, nowMs);
    } catch (error) {
      // A call must not fail because nobody listens along.
      place.newest = undefined;
      place.dueAtMs = nowMs + reconnectCapMs;
      this.#options.onError(error);
    }
    return true;
  }

  #open(shard: number, place: Place, nowMs: number): void {
    const { node, sockets, timers, clock, background } = this.#options;
    let release = (): void => {};
    background.run(
      new Promise<void>((resolve) => {
        release = resolve;
      }),
    );
    const isCurrent = (): boolean => place.session === session && !this.#closed;
    const session: Session = new Session(
      {
        sockets: sockets(shard),
        codec: innerFrames,
        timers,
        elapsed: clock,
        lease: noLease,
        connectTimeoutMs,
        beats: false,
      },
      {
        welcomed: (frame) => {
          if (place.newest !== session || this.#closed) return;
          place.session = session;
          deliverWelcome(this.#listeners, shard, place.cursor, frame);
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
          if (!this.#closed) this.#ended(shard, place, session, end);
        },
      },
    );
    const stop = timers.after(subscriptionMs, () => {
      place.backoff.reset();
      session.leave("its time is over");
    });
    place.newest = session;
    place.dueAtMs = nowMs + renewSubscriptionMs;
    place.endsAtMs = nowMs + subscriptionMs;
    const cursor = place.cursor.position;
    session.open("", [innerFrames.protocol], {
      t: "hello",
      v: wireVersion,
      node,
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  #ended(shard: number, place: Place, session: Session, end: SessionEnd): void {
    if (place.newest === session) {
      const nowMs = this.#options.clock.now();
      place.newest = undefined;
      place.endsAtMs = nowMs;
      if (end.next === "refused") {
        place.dueAtMs = nowMs + refusedHoldMs;
        this.#options.onError(end.error);
      } else place.dueAtMs = end.next === "later" ? nowMs + place.backoff.next() : nowMs;
    }
    if (place.session !== session) return;
    place.session = undefined;
    for (const listener of this.#listeners) listener.lost(shard);
  }
}

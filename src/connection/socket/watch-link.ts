import type { WarpError } from "../../errors.ts";
import { wireVersion } from "../../protocol/wire/frames.ts";
import { innerFrames } from "../../protocol/wire/inner-frames.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import { connectTimeoutMs, keepAliveMs, reconnectBaseMs, reconnectCapMs } from "../../runtime/limits.ts";
import { fraction, type Random } from "../../runtime/random.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import { Backoff } from "./backoff.ts";
import { isForGood, notSent, type SessionEnd } from "./close.ts";
import { LinkWatches } from "./link-watches.ts";
import { Session } from "./session.ts";
import { noLease } from "./session-lease.ts";

/** What a {@link WatchLink} is made of. */
export interface WatchLinkOptions {
  readonly sockets: SocketFactory;
  /** Of the work that runs now: they may end with it. */
  readonly timers: Timers;
  readonly clock: Clock;
  readonly random: Random;
  /** The first attempt has failed: told once. */
  readonly failed: (error: WarpError) => void;
}

/** The way of watches to one shard: a `ShardLink` without calls, leases and pushes, for whoever does nothing but watch. */
export class WatchLink {
  readonly watches: LinkWatches;
  readonly #options: WatchLinkOptions;
  readonly #backoff: Backoff;
  #session: Session | undefined;
  #hasBegun = false;
  #isClosed = false;
  #cancelTimer: (() => void) | undefined;
  #cancelRetirement: () => void = () => {};

  constructor(shard: number, options: WatchLinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random, { baseMs: reconnectBaseMs, capMs: reconnectCapMs });
    this.watches = new LinkWatches(shard, {
      send: (frame) => this.#session?.tell(frame),
      needed: () => this.#connect(),
    });
  }

  /** Ends it for good. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#cancelRetirement();
    this.#session?.leave("the watch is over");
  }

  #connect(): void {
    if (this.#session !== undefined || this.#cancelTimer !== undefined || this.#isClosed) return;
    const { sockets, timers, clock, random } = this.#options;
    const session: Session = new Session(
      {
        sockets,
        codec: innerFrames,
        timers,
        elapsed: clock,
        lease: noLease,
        connectTimeoutMs,
        beats: true,
        // The end of such a socket is told; a sign of life now and then is for the case that it is not, and for the hub, which needs room for others.
        minBeatMs: keepAliveMs,
      },
      {
        welcomed: () => {
          this.#hasBegun = true;
          this.watches.welcomed();
        },
        pushed: () => {},
        invalidate: () => [],
        watched: (frame) => {
          if (this.#session === session) this.watches.take(frame);
        },
        go: (withinMs) => {
          this.#cancelRetirement = timers.after(fraction(random) * withinMs, () => this.#retire(session));
        },
        beat: () => this.#backoff.reset(),
        ended: (end) => this.#ended(session, end),
      },
    );
    this.#session = session;
    const node = `watch-${randomHex(random, 12)}`;
    session.open("", [innerFrames.protocol], { t: "hello", v: wireVersion, node, follow: false });
  }

  /** The shard asked to be left: the watches go on over the next session. */
  #retire(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.watches.lost();
    session.leave("the shard asked for it");
    this.#connect();
  }

  #ended(session: Session, end: SessionEnd): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    // A watch changes nothing, so it is known what came of it.
    const error = notSent(end.error);
    if (isForGood(end)) this.watches.fail(error);
    this.watches.lost();
    if (!this.#hasBegun) {
      this.#options.failed(error);
      return;
    }
    if (this.#isClosed || !this.watches.areWanted) return;
    this.#cancelTimer = this.#options.timers.after(this.#backoff.next(end.next === "now"), () => {
      this.#cancelTimer = undefined;
      this.#connect();
    });
  }
}

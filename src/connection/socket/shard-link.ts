import { WarpError } from "../../errors.ts";
import type { PushListener } from "../../protocol/pushes.ts";
import { type WireMethod, wireVersion } from "../../protocol/wire/frames.ts";
import { authProtocol } from "../../protocol/wire/subprotocols.ts";
import { patientMs, refusedHoldMs, retireMs } from "../../runtime/limits.ts";
import { fraction } from "../../runtime/random.ts";
import { Backoff } from "./backoff.ts";
import { CallingSession } from "./calling-session.ts";
import { isForGood, notSent, type SessionEnd } from "./close.ts";
import { deliverInvalidation, deliverLoss, deliverPush, deliverWelcome } from "./deliver.ts";
import { LinkWatches } from "./link-watches.ts";
import { NodeLease } from "./node-lease.ts";
import type { ResolvedSocketOptions } from "./options.ts";
import { PushCursor } from "./push-cursor.ts";

/** Where a link stands: what it waits for, or why it does not. */
type State =
  | { readonly name: "unused" }
  | { readonly name: "connecting" }
  | { readonly name: "open" }
  /** Before the next attempt. */
  | { readonly name: "waiting"; readonly dueAtMs: number }
  /** Connecting again would be refused again, so far as one knows. */
  | { readonly name: "refused"; readonly error: WarpError; readonly untilMs: number }
  | { readonly name: "closed" };

/** The way to one shard: sessions one after the other, the next one when the last has ended and somebody needs it. */
export class ShardLink {
  readonly watches: LinkWatches;
  readonly #shard: number;
  readonly #options: ResolvedSocketOptions;
  readonly #listeners: ReadonlySet<PushListener>;
  readonly #nextTenure: () => number;
  readonly #backoff: Backoff;
  readonly #cursor: PushCursor;
  readonly #waiters = new Set<{
    readonly resolve: () => void;
    readonly reject: (error: WarpError) => void;
  }>();
  #state: State = { name: "unused" };
  #session: CallingSession | undefined;
  #usedAtMs: number;
  /** What the present session's `hello` has asked for. */
  #drain: string | undefined;
  /** One that was told to go and still waits for answers. */
  #retiring: CallingSession | undefined;
  #cancelTimer: () => void = () => {};
  #cancelRetirement: () => void = () => {};

  constructor(
    shard: number,
    options: ResolvedSocketOptions,
    listeners: ReadonlySet<PushListener>,
    nextTenure: () => number,
  ) {
    this.#shard = shard;
    this.#options = options;
    this.#listeners = listeners;
    this.#nextTenure = nextTenure;
    this.#backoff = new Backoff(options.random, options.backoff);
    this.#cursor = new PushCursor(shard);
    this.#usedAtMs = options.elapsed.now();
    this.watches = new LinkWatches(shard, {
      send: (frame) => this.#session?.tell(frame),
      // What keeps it from being reached is told to the watches where it is for good, and else tried again.
      needed: () => void this.ready().catch((error: unknown) => this.#unreached(error)),
    });
  }

  /**
   * Settles when calls can be made. Rejects where the shard refuses the connection, where the attempt fails that is waited for, and at once where
   * the next one is too far off to wait for. Nothing was sent then.
   */
  async ready(): Promise<void> {
    this.#usedAtMs = this.#options.elapsed.now();
    const state = this.#state;
    switch (state.name) {
      case "open":
        return;
      case "closed":
        throw new WarpError("warp_closed", "this connection is closed");
      case "refused":
        if (this.#usedAtMs < state.untilMs) throw notSent(state.error, state.untilMs - this.#usedAtMs);
        this.#connect();
        break;
      case "waiting":
        if (state.dueAtMs - this.#usedAtMs > patientMs) {
          const error = new WarpError("unavailable", "the shard can't be reached");
          throw notSent(error, state.dueAtMs - this.#usedAtMs);
        }
        break;
      case "unused":
        this.#connect();
        break;
      case "connecting":
        break;
    }
    await new Promise<void>((resolve, reject) => this.#waiters.add({ resolve, reject }));
  }

  /** Makes a call. Throws where nothing could be sent; rejects with outcome `unknown` where the session ends before the answer. */
  call(
    method: WireMethod,
    args: readonly unknown[],
    received: (reply: object, tenure: number) => object,
  ): Promise<object> {
    if (this.#state.name === "closed") throw new WarpError("warp_closed", "this connection is closed");
    this.#usedAtMs = this.#options.elapsed.now();
    const session = this.#session;
    if (session === undefined) throw new WarpError("unavailable", "there is no connection to the shard");
    return session.call(method, args, (reply) => received(reply, session.lease.tenure));
  }

  /** Strong keys are to be held: see `NodeLease`. */
  wantLease(): void {
    this.#session?.wantLease();
  }

  /** What is left of the lease under `tenure`, in ms; `-Infinity`: it is another, or over. */
  leaseLeftMs(tenure: number): number {
    const lease = this.#session?.lease;
    if (lease === undefined || lease.tenure !== tenure) return Number.NEGATIVE_INFINITY;
    lease.use();
    this.#usedAtMs = this.#options.elapsed.now();
    return lease.leftMs();
  }

  /** Ends it for good. */
  close(): void {
    if (this.#state.name === "closed") return;
    this.#state = { name: "closed" };
    this.#cancelTimer();
    this.#cancelRetirement();
    this.#retiring?.leave("the node closes");
    this.#session?.leave("the node closes");
    const closed = new WarpError("warp_closed", "this connection is closed");
    this.#settle(closed);
    this.watches.fail(closed);
  }

  #connect(): void {
    this.#cancelTimer();
    this.#state = { name: "connecting" };
    const session = this.#newSession();
    this.#session = session;
    const token = this.#options.token();
    if (typeof token === "object") {
      token.then(
        (text) => this.#open(session, text),
        (error: unknown) => session.giveUp("there is no token for it", error),
      );
    } else this.#open(session, token);
  }

  #open(session: CallingSession, token: string | undefined): void {
    if (this.#session !== session) return;
    const { urlOf, node, zone, follow, codec, around } = this.#options;
    this.#drain = around?.drain(this.#shard);
    const cursor = this.#cursor.position;
    session.open(
      urlOf(this.#shard),
      token === undefined ? [codec.protocol] : [codec.protocol, authProtocol(token)],
      {
        t: "hello",
        v: wireVersion,
        node,
        follow,
        ...(zone === undefined ? {} : { zone }),
        ...(cursor === undefined || !follow ? {} : { cursor }),
        ...(this.#drain === undefined ? {} : { fallback: this.#drain }),
      },
    );
  }

  #newSession(): CallingSession {
    const { sockets, codec, timers, elapsed, connectTimeoutMs } = this.#options;
    const lease = new NodeLease(elapsed, this.#nextTenure);
    const session: CallingSession = new CallingSession(
      { sockets, codec, timers, elapsed, lease, connectTimeoutMs, beats: true },
      {
        welcomed: (frame) => {
          deliverWelcome(this.#listeners, this.#shard, this.#cursor, frame);
          this.#state = { name: "open" };
          if (this.#drain !== undefined) this.#options.around?.drained(this.#shard, this.#drain);
          this.#settle(undefined);
          this.watches.welcomed();
        },
        pushed: (frame) => {
          if (this.#session === session) deliverPush(this.#listeners, this.#shard, this.#cursor, frame);
        },
        invalidate: (invalidation) => deliverInvalidation(this.#listeners, this.#shard, invalidation),
        watched: (frame) => {
          if (this.#session === session) this.watches.take(frame);
        },
        lost: (frame) => deliverLoss(this.#listeners, this.#shard, frame),
        go: (withinMs) => this.#retire(session, withinMs),
        beat: () => this.#beat(session),
        ended: (end) => this.#ended(session, end),
      },
    );
    return session;
  }

  /** It has lived: what failed before is past. And a session that nobody uses goes. */
  #beat(session: CallingSession): void {
    this.#backoff.reset();
    const unusedMs = this.#options.elapsed.now() - this.#usedAtMs;
    if (unusedMs < this.#options.unusedMs || session.calls > 0 || this.watches.areWanted) return;
    // What happens until it is used again is asked for then: a replay of it all would cost more.
    this.#cursor.jump(undefined);
    session.leave("nobody uses it");
  }

  #ended(session: CallingSession, end: SessionEnd): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    for (const listener of this.#listeners) listener.lost(this.#shard);
    if (isForGood(end)) this.watches.fail(notSent(end.error));
    this.watches.lost();
    if (this.#state.name === "closed") return;
    const nowMs = this.#options.elapsed.now();
    if (end.next === "refused") {
      this.#state = { name: "refused", error: end.error, untilMs: nowMs + refusedHoldMs };
    } else if (end.next === "unused" && !this.watches.areWanted) this.#state = { name: "unused" };
    else {
      const waitMs = this.#backoff.next(end.next === "now");
      this.#state = { name: "waiting", dueAtMs: nowMs + waitMs };
      this.#cancelTimer = this.#options.timers.after(waitMs, () => this.#reconnect());
    }
    this.#settle(notSent(end.error));
  }

  #reconnect(): void {
    const isUsed = this.#options.elapsed.now() - this.#usedAtMs < this.#options.unusedMs;
    if (isUsed || this.#waiters.size > 0 || this.watches.areWanted) this.#connect();
    else this.#state = { name: "unused" };
  }

  /** The shard wants to be left: at a moment of this node's own. Calls under way may still get their answers; new ones go elsewhere. */
  #retire(session: CallingSession, withinMs: number): void {
    const { timers, random } = this.#options;
    this.#cancelRetirement = timers.after(fraction(random) * withinMs, () => {
      if (this.#session !== session) return;
      this.#session = undefined;
      session.lease.end();
      for (const listener of this.#listeners) listener.lost(this.#shard);
      this.watches.lost();
      this.#retiring = session;
      const leave = (): void => {
        this.#retiring = undefined;
        session.leave("the shard asked for it");
      };
      if (session.calls === 0) leave();
      else this.#cancelRetirement = timers.after(retireMs, leave);
      this.#connect();
    });
  }

  /** A watch wanted a session, and there was none. Where the next attempt is only far off, it will come. */
  #unreached(error: unknown): void {
    const { name } = this.#state;
    if (name === "refused" || name === "closed")
      this.watches.fail(WarpError.from(error, "unavailable", "no way"));
  }

  #settle(error: WarpError | undefined): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const { resolve, reject } of waiters) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}

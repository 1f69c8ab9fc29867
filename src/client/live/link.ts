import { Backoff } from "../../connection/socket/backoff.ts";
import { WarpError } from "../../errors.ts";
import { beatFrame, type ClientFrame, type ServerFrame, wireVersion } from "../../protocol/wire/frames.ts";
import { authProtocol } from "../../protocol/wire/subprotocols.ts";
import {
  beatMs,
  checkMs,
  connectTimeoutMs,
  patientMs,
  reconnectBaseMs,
  reconnectCapMs,
  refusedHoldMs,
  retireMs,
  unusedSocketMs,
} from "../../runtime/limits.ts";
import { fraction } from "../../runtime/random.ts";
import { closed, endOf, type SessionEnd, unavailable, unsent } from "./close.ts";
import type { LinkParts, Session, Subscriber, WatchFrame, Welcome } from "./link-types.ts";

const maxUnanswered = 2;
/** The way to one shard: sessions one after the other, while somebody needs one. It is no node: nothing is pushed to it but what it watches. */
export class LiveLink {
  /** Of the shard's storage, as it was told last. */
  epoch: string | undefined;
  readonly #shard: number;
  readonly #parts: LinkParts;
  readonly #backoff: Backoff;
  readonly #subscribers = new Map<number, Subscriber>();
  readonly #waiters: {
    readonly resolve: (session: Session) => void;
    readonly reject: (error: WarpError) => void;
  }[] = [];
  /** Open, or to be. */
  #session: Session | undefined;
  /** Why the last attempt came to nothing. */
  #error: WarpError | undefined;
  /** Defined while the next attempt is waited for. */
  #cancelAttempt: (() => void) | undefined;
  /** No attempt before. */
  #dueAtMs = 0;
  #usedAtMs = 0;
  #nextId = 1;
  #isClosed = false;

  constructor(shard: number, parts: LinkParts) {
    this.#shard = shard;
    this.#parts = parts;
    this.#backoff = new Backoff(parts.host.random, { baseMs: reconnectBaseMs, capMs: reconnectCapMs });
  }

  /** `idle`: nobody needs it. `failing`: it is needed, and the last attempt came to nothing. */
  get standing(): "idle" | "open" | "connecting" | "failing" {
    if (this.#session?.welcome) return "open";
    if (this.#error && this.#isWanted) return "failing";
    return this.#session || this.#cancelAttempt ? "connecting" : "idle";
  }

  /** A session that calls can be made on. Rejects where there is none in sight: nothing was sent then. */
  async ready(): Promise<Session> {
    const waitMs = this.#dueAtMs - this.#now;
    this.#usedAtMs = this.#now;
    if (this.#isClosed) throw closed();
    if (this.#session?.welcome) return this.#session;
    if (this.#parts.isResting()) throw unsent(unavailable("there is no network"));
    if (!this.#session) {
      if (waitMs > patientMs) throw unsent(this.#error ?? unavailable("the connection broke"), waitMs);
      if (!this.#cancelAttempt) this.#connect();
    }
    return await new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Sends a frame that is answered. Rejects with `unavailable`, outcome `unknown`, where the session ends before. */
  ask(session: Session, frame: ClientFrame & { readonly t: "call" | "auth" }): Promise<object> {
    return new Promise((resolve, reject) => {
      if (session.isOver) throw unavailable("the connection broke");
      const id = this.#nextId++;
      const data = this.#parts.frames.encode({ ...frame, id });
      const max = session.welcome?.maxFrameBytes ?? 0;
      if (data.length > max) throw new WarpError("frame_too_large", `a frame has at most ${max} bytes`);
      session.calls.set(id, { resolve, reject });
      session.socket?.send(data);
    });
  }

  subscribe(subscriber: Subscriber): void {
    subscriber.id = this.#nextId++;
    this.#subscribers.set(subscriber.id, subscriber);
    if (this.#session?.welcome) this.#open(subscriber);
    else
      this.ready().catch((error: WarpError) => {
        const mayCome = this.#session || this.#cancelAttempt || this.#parts.isResting();
        if (this.#isClosed || !mayCome) this.#fail(error);
      });
  }

  unsubscribe({ id }: Subscriber): void {
    if (this.#subscribers.delete(id)) this.say({ t: "unsub", id });
  }

  /** To the session that is open; it is no loss where there is none. */
  say(frame: ClientFrame): void {
    if (this.#session?.welcome) this.#send(this.#session, frame);
  }

  /** The network is back, or somebody looks again. */
  wake(): void {
    const session = this.#session;
    if (session?.welcome) {
      // It shows that it lives, soon, or is given up.
      session.unanswered = maxUnanswered - 1;
      this.#beat(session, checkMs);
    } else if (!session && (this.#isWanted || this.#shard === 0)) {
      // By the first shard it shows whether the deployment can be reached.
      this.#usedAtMs = this.#now;
      this.#backoff.reset();
      this.#attemptIn(this.#backoff.next());
    }
  }

  /** There is no network, or nothing will run from now on. */
  rest(): void {
    this.#cancelAttempt?.();
    this.#cancelAttempt = undefined;
    this.#giveUp(this.#session, "there is no network");
  }

  close(): void {
    this.#isClosed = true;
    this.#fail(closed());
    this.rest();
    for (const { reject } of this.#waiters.splice(0)) reject(closed());
  }

  get #now(): number {
    return this.#parts.host.elapsed.now();
  }

  get #isWanted(): boolean {
    return this.#subscribers.size + this.#waiters.length > 0 || this.#now - this.#usedAtMs < unusedSocketMs;
  }

  #connect(): void {
    const { host, sockets, frames, token, url, node, changed } = this.#parts;
    const session: Session = {
      calls: new Map(),
      unanswered: 0,
      cancelTimer: host.timers.after(connectTimeoutMs, () => this.#giveUp(session, "no welcome in time")),
    };
    this.#session = session;
    const open = (text: string | undefined): void => {
      if (session.isOver) return;
      const protocols = text === undefined ? [] : [authProtocol(text)];
      session.socket = sockets.open(url(this.#shard), [frames.protocol, ...protocols], {
        opened: () => this.#send(session, { t: "hello", v: wireVersion, node, follow: false }),
        message: (data) => this.#receive(session, data),
        closed: (code, reason) => this.#end(session, endOf(code, reason)),
      });
    };
    const failed = (error: unknown): void => this.#giveUp(session, "it could not be made", error);
    token.ask().then(open).catch(failed);
    changed();
  }

  #receive(session: Session, data: string | Uint8Array): void {
    // Late words of a socket that was given up.
    if (session.isOver) return;
    session.unanswered = 0;
    try {
      const frame = this.#parts.frames.decode(data);
      if (frame) this.#take(session, frame);
    } catch (error) {
      this.#giveUp(session, "it makes no sense", error);
    }
  }

  #take(session: Session, frame: ServerFrame): void {
    this.epoch = ((frame.t === "ok" ? frame.r : frame) as Partial<Welcome>)?.epoch ?? this.epoch;
    if (frame.t === "welcome") this.#welcomed(session, frame);
    else if (frame.t === "ok" || frame.t === "err") {
      const call = session.calls.get(frame.id);
      session.calls.delete(frame.id);
      if (frame.t === "ok") call?.resolve(frame.r as object);
      else call?.reject(WarpError.fromData(frame.e));
    } else if (frame.t === "mark") this.#send(session, { t: "seen", n: frame.n });
    else if (frame.t === "go") this.#retire(session, frame.withinMs);
    else if (this.#session === session) {
      // What has no number is for all of them.
      const { id } = frame as { readonly id?: number };
      for (const subscriber of this.#subscribers.values())
        if (id === undefined || id === subscriber.id) {
          if (frame.t === "end") {
            this.#subscribers.delete(id as number);
            subscriber.failed(WarpError.fromData(frame.e));
          } else subscriber.take(frame as WatchFrame);
        }
    }
  }

  #welcomed(session: Session, frame: Welcome): void {
    const { token, welcomed, changed } = this.#parts;
    session.welcome = frame;
    session.cancelTimer();
    this.#beatIn(session, beatMs);
    this.#error = undefined;
    welcomed(frame);
    token.keep(session, frame.expiresAtMs, (newer) => this.ask(session, { t: "auth", id: 0, token: newer }));
    for (const subscriber of this.#subscribers.values()) this.#open(subscriber);
    for (const { resolve } of this.#waiters.splice(0)) resolve(session);
    changed();
  }

  #open(subscriber: Subscriber): void {
    this.say(subscriber.frame);
    subscriber.opened();
  }

  #send(session: Session, frame: ClientFrame): void {
    session.socket?.send(this.#parts.frames.encode(frame));
  }

  /** A beat is answered by the platform: a shard with nothing to do sleeps on. */
  #beat(session: Session, withinMs: number): void {
    session.cancelTimer();
    if (session.unanswered >= maxUnanswered) this.#giveUp(session, "it is silent");
    else if (!this.#isWanted && !session.calls.size) this.#end(session, { error: closed(), next: "unused" });
    else {
      this.#backoff.reset();
      session.unanswered++;
      session.socket?.send(beatFrame);
      this.#beatIn(session, withinMs);
    }
  }

  #beatIn(session: Session, withinMs: number): void {
    session.cancelTimer = this.#parts.host.timers.after(withinMs, () => this.#beat(session, beatMs));
  }

  #giveUp(session: Session | undefined, why: string, cause?: unknown): void {
    if (session)
      this.#end(session, { error: unavailable(`the connection was given up: ${why}`, cause), next: "later" });
  }

  #end(session: Session, end: SessionEnd): void {
    if (session.isOver) return;
    session.isOver = true;
    session.cancelTimer();
    session.cancelRenewal?.();
    session.socket?.close(1000, "");
    if (this.#session === session) this.#lost(session, end);
    for (const { reject } of session.calls.values()) reject(end.error);
  }

  #lost({ welcome }: Session, { error, next }: SessionEnd): void {
    const { host, token, isResting, isHidden, changed } = this.#parts;
    this.#session = undefined;
    if (welcome) for (const subscriber of this.#subscribers.values()) subscriber.cut();
    else this.#error = error;
    const isRenewable = error.code === "token_expired" && token.isRenewed(!!welcome);
    const isRefused = next === "refused" && !isRenewable;
    // The space that is gone may be made anew at any time: whoever asks next will see.
    if (isRefused || error.code === "space_not_found") this.#fail(error);
    if (isRefused) {
      this.#error = error;
      this.#dueAtMs = this.#now + refusedHoldMs;
    } else if (!this.#isClosed && !isResting() && (next !== "unused" || this.#subscribers.size > 0)) {
      // While nobody looks there is no hurry, and others may need the room.
      const isUrgent = isRenewable || next === "now";
      this.#attemptIn(isHidden() ? fraction(host.random) * reconnectCapMs : this.#backoff.next(isUrgent));
    }
    if (!isRenewable) for (const { reject } of this.#waiters.splice(0)) reject(unsent(error));
    changed();
  }

  #attemptIn(waitMs: number): void {
    this.#cancelAttempt?.();
    this.#dueAtMs = this.#now + waitMs;
    this.#cancelAttempt = this.#parts.host.timers.after(waitMs, () => {
      this.#cancelAttempt = undefined;
      if (this.#isWanted) this.#connect();
      else this.#parts.changed();
    });
  }

  /** The shard wants to be left: at a moment of this client's own, when no call is under way. */
  #retire(session: Session, withinMs: number): void {
    const { timers, random } = this.#parts.host;
    const leave = (): void => {
      if (session.calls.size) timers.after(retireMs, leave);
      else this.#end(session, endOf(4200, ""));
    };
    timers.after(fraction(random) * withinMs, leave);
  }

  #fail(error: WarpError): void {
    const all = [...this.#subscribers.values()];
    this.#subscribers.clear();
    for (const subscriber of all) subscriber.failed(error);
  }
}

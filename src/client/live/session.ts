import { notSent, readClose, type SessionEnd } from "../../connection/socket/close.ts";
import type { WatchFrame } from "../../connection/socket/link-watches.ts";
import { WarpError } from "../../errors.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import {
  beatFrame,
  type ClientFrame,
  type ServerFrame,
  type WireMethod,
  wireVersion,
} from "../../protocol/wire/frames.ts";
import type { WatchClientFrame } from "../../protocol/wire/watch-frames.ts";
import type { Timers } from "../../runtime/clock.ts";
import { beatMs, checkMs, connectTimeoutMs } from "../../runtime/limits.ts";
import type { Socket, SocketFactory } from "../../runtime/socket.ts";

export type Welcome = Extract<ServerFrame, { readonly t: "welcome" }>;

/** What a session tells its link. */
export interface SessionEvents {
  welcomed(frame: Welcome): void;
  watched(frame: WatchFrame): void;
  /** The shard asks to be left, within so many ms. */
  go(withinMs: number): void;
  beat(): void;
  /** It is over; told once, before the calls under way fail. */
  ended(end: SessionEnd): void;
}

/** Beats without any sign of life after which the socket is given up. */
const maxUnanswered = 2;

/** One socket to one shard, from its opening to its end: greets, calls, beats. It never comes back. It is no node: nothing is pushed to it but what it watches. */
export class LiveSession {
  readonly #timers: Timers;
  readonly #frames: FrameCodec;
  readonly #events: SessionEvents;
  readonly #calls = new Map<
    number,
    { readonly resolve: (reply: object) => void; readonly reject: (error: WarpError) => void }
  >();
  #socket: Socket | undefined;
  #welcome: Welcome | undefined;
  #isOver = false;
  #nextId = 1;
  #unanswered = 0;
  #cancelTimer: () => void;

  constructor(timers: Timers, frames: FrameCodec, events: SessionEvents) {
    this.#timers = timers;
    this.#frames = frames;
    this.#events = events;
    this.#cancelTimer = timers.after(connectTimeoutMs, () => this.giveUp("no welcome in time"));
  }

  open(sockets: SocketFactory, url: string, protocols: readonly string[], node: string): void {
    if (this.#isOver) return;
    const socket = sockets.open(url, protocols, {
      opened: () => this.tell({ t: "hello", v: wireVersion, node, follow: false }),
      message: (data) => this.#receive(data),
      closed: (code, reason) => this.#end(readClose(code, reason)),
    });
    this.#socket = socket;
    // It may have ended while it was being opened.
    if (this.#isOver) socket.close(1000, "");
  }

  /** Undefined until calls can be made, and once it is over. */
  get welcome(): Welcome | undefined {
    return this.#isOver ? undefined : this.#welcome;
  }

  get wasOpen(): boolean {
    return this.#welcome !== undefined;
  }

  get calls(): number {
    return this.#calls.size;
  }

  /** Makes a call. Throws `frame_too_large`, `unavailable` where it is not open: nothing was sent then. */
  async call(m: WireMethod, ...a: readonly unknown[]): Promise<object> {
    return await this.#ask({ t: "call", id: this.#nextId++, m, a });
  }

  /** Brings a newer token; gives when it ends. */
  async renew(token: string): Promise<number | undefined> {
    const reply = await this.#ask({ t: "auth", id: this.#nextId++, token });
    return (reply as { readonly expiresAtMs?: number }).expiresAtMs;
  }

  #ask(frame: ClientFrame & { readonly id: number }): Promise<object> {
    const { welcome } = this;
    if (welcome === undefined) throw new WarpError("unavailable", "there is no connection to the shard");
    const data = this.#frames.encode(frame);
    const max = welcome.maxFrameBytes;
    if (data.length > max)
      throw new WarpError("frame_too_large", `a frame has at most ${max} bytes`, { details: { max } });
    const answer = new Promise<object>((resolve, reject) => this.#calls.set(frame.id, { resolve, reject }));
    this.#socket?.send(data);
    return answer;
  }

  tell(frame: ClientFrame | WatchClientFrame): void {
    if (!this.#isOver) this.#socket?.send(this.#frames.encode(frame));
  }

  /** Something has changed that may have broken it: it shows that it lives, soon, or is given up. */
  check(): void {
    this.#unanswered = maxUnanswered - 1;
    this.#beat(checkMs);
  }

  /** Ends it in peace. */
  leave(): void {
    this.tell({ t: "bye" });
    this.giveUp("it was closed", undefined, "unused");
  }

  /** Gives the socket up: it broke, is silent, or says what can't be. */
  giveUp(why: string, cause?: unknown, next: SessionEnd["next"] = "later"): void {
    const socket = this.#socket;
    this.#end({
      error: new WarpError("unavailable", `there is no connection: ${why}`, { outcome: "unknown", cause }),
      next,
    });
    socket?.close(1000, "");
  }

  #end(end: SessionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#events.ended(end);
    for (const { reject } of this.#calls.values()) reject(end.error);
  }

  #receive(data: string | Uint8Array): void {
    // Late words of a socket that was given up.
    if (this.#isOver) return;
    this.#unanswered = 0;
    try {
      const frame = this.#frames.decode(data);
      if (frame !== undefined) this.#take(frame);
    } catch (error) {
      this.giveUp("what it said could not be taken", error);
    }
  }

  #take(frame: ServerFrame): void {
    switch (frame.t) {
      case "welcome":
        this.#welcome = frame;
        this.#cancelTimer();
        this.#cancelTimer = this.#timers.after(beatMs, () => this.#beat(beatMs));
        this.#events.welcomed(frame);
        return;
      case "ok":
      case "err": {
        const call = this.#calls.get(frame.id);
        this.#calls.delete(frame.id);
        if (frame.t === "ok") call?.resolve(frame.r as object);
        else call?.reject(WarpError.fromData(frame.e));
        return;
      }
      case "mark":
        this.tell({ t: "seen", n: frame.n });
        return;
      case "go":
        this.#events.go(frame.withinMs);
        return;
      default:
        // What is about no watch is nobody's.
        this.#events.watched(frame as WatchFrame);
    }
  }

  /** A beat is answered by the platform: a shard with nothing to do sleeps on. */
  #beat(withinMs: number): void {
    this.#cancelTimer();
    if (this.#unanswered >= maxUnanswered) {
      this.giveUp("it gives no sign of life");
      return;
    }
    this.#unanswered++;
    this.#socket?.send(beatFrame);
    this.#events.beat();
    if (!this.#isOver) this.#cancelTimer = this.#timers.after(withinMs, () => this.#beat(beatMs));
  }
}

/** What a caller gets who could send nothing. */
export function unsent(why: string, retryAfterMs?: number): WarpError {
  return notSent(new WarpError("unavailable", why), retryAfterMs);
}

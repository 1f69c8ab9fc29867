import { isErrorCode, WarpError } from "../../errors.ts";
import type { PushedInvalidation } from "../../protocol/pushes.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import { beatFrame, type ClientFrame, closeCodes, type ServerFrame } from "../../protocol/wire/frames.ts";
import type { WatchClientFrame } from "../../protocol/wire/watch-frames.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Socket, SocketFactory } from "../../runtime/socket.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { readClose, type SessionEnd } from "./close.ts";
import type { WatchFrame } from "./link-watches.ts";
import type { SessionCalls } from "./pending-calls.ts";
import type { SessionLease } from "./session-lease.ts";

type Frame<T extends ServerFrame["t"]> = Extract<ServerFrame, { readonly t: T }>;
export type Hello = Extract<ClientFrame, { readonly t: "hello" }>;

/** What a session tells whoever opened it. */
export interface SessionEvents {
  welcomed(frame: Frame<"welcome">): void;
  pushed(frame: Frame<"ev" | "prog" | "gap">): void;
  /** To be carried out; acknowledged when all of these have settled. */
  invalidate(invalidation: Omit<PushedInvalidation, "shard">): readonly (void | Promise<void>)[];
  /** A grant of this session has ended. */
  lost?(frame: Frame<"lost">): void;
  /** About watches. */
  watched?(frame: WatchFrame): void;
  /** The shard asks to be left, within so many ms. */
  go(withinMs: number): void;
  /** At each beat: a moment to look whether it is still used. */
  beat(): void;
  /** It is over; told once, before the calls under way fail. */
  ended(end: SessionEnd): void;
}

/** What a session is made of. */
export interface SessionParts {
  readonly sockets: SocketFactory;
  readonly codec: FrameCodec;
  readonly timers: Timers;
  readonly elapsed: Clock;
  readonly lease: SessionLease;
  /** Absent: it makes none. */
  readonly calls?: SessionCalls;
  /** How long opening and `welcome` may take together. */
  readonly connectTimeoutMs: number;
  /** Whether it asks for signs of life and renews its lease. Without, a silent end goes unnoticed. */
  readonly beats: boolean;
  /** The least time between two of them, in ms. Default 0: as often as the shard says. */
  readonly minBeatMs?: number;
}

/** Beats without any sign of life after which the socket is given up. */
const maxUnanswered = 2;

/** One socket to one shard, from its opening to its end: greets, calls, beats, acknowledges. It never comes back. */
export class Session {
  readonly #parts: SessionParts;
  readonly #events: SessionEvents;
  readonly #acknowledgements: Acknowledgements;
  #socket: Socket | undefined;
  #welcome: Frame<"welcome"> | undefined;
  #isOver = false;
  #nextId = 1;
  #unanswered = 0;
  #cancelTimer: () => void = () => {};

  constructor(parts: SessionParts, events: SessionEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#acknowledgements = new Acknowledgements(
      (inv) => this.#send({ t: "ack", inv }),
      (error) => this.giveUp("what was pushed could not be carried out", error),
    );
  }

  /** Opens its socket and greets. */
  open(url: string, protocols: readonly string[], hello: Hello): void {
    this.#cancelTimer = this.#parts.timers.after(this.#parts.connectTimeoutMs, () =>
      this.giveUp(`no welcome within ${this.#parts.connectTimeoutMs} ms`),
    );
    const socket = this.#parts.sockets.open(url, protocols, {
      opened: () => this.#send(hello),
      message: (data) => this.#receive(data),
      closed: (code, reason) => this.#end(readClose(code, reason, isErrorCode)),
    });
    this.#socket = socket;
    // It may have ended while it was being opened.
    if (this.#isOver) socket.close(1000, "");
  }

  /** Whether calls can be made. */
  get isOpen(): boolean {
    return this.#welcome !== undefined && !this.#isOver;
  }

  get lease(): SessionLease {
    return this.#parts.lease;
  }

  /** Sends what is made of the number of a call, and of how many bytes it may have. Throws `unavailable` where it is not open. */
  ask(make: (id: number, maxBytes: number) => string | Uint8Array): void {
    const welcome = this.#welcome;
    if (welcome === undefined || this.#isOver) {
      throw new WarpError("unavailable", "there is no connection to the shard");
    }
    const data = make(this.#nextId, welcome.maxFrameBytes);
    this.#nextId++;
    this.#socket?.send(data);
  }

  /** Sends a frame about a watch, where it is open. */
  tell(frame: WatchClientFrame): void {
    if (this.isOpen) this.#send(frame);
  }

  /** Strong keys are read: sees to it that the session has the node lease, or will. */
  wantLease(): void {
    const { lease } = this.#parts;
    lease.use();
    if (this.isOpen && lease.isMissing) this.#askLease();
  }

  /** Ends it in peace: its lease is given back. */
  leave(why: string): void {
    if (this.#isOver) return;
    const socket = this.#socket;
    const wasOpen = this.isOpen;
    // Nothing is served under the lease any more when the shard learns of it.
    this.#end({
      error: new WarpError("unavailable", `the connection was closed: ${why}`, { outcome: "unknown" }),
      next: "unused",
    });
    if (wasOpen) socket?.send(this.#parts.codec.encode({ t: "bye" }));
    socket?.close(1000, "");
  }

  /** Gives the socket up: it broke, is silent, or says what can't be. */
  giveUp(why: string, cause?: unknown, code = 1000): void {
    if (this.#isOver) return;
    this.#end({
      error: new WarpError("unavailable", `the connection to the shard was given up: ${why}`, {
        outcome: "unknown",
        cause,
      }),
      next: "later",
    });
    this.#socket?.close(code, "");
  }

  #end(end: SessionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#parts.lease.end();
    try {
      this.#events.ended(end);
    } finally {
      this.#parts.calls?.end(end.error);
    }
  }

  #send(frame: ClientFrame): void {
    if (!this.#isOver) this.#socket?.send(this.#parts.codec.encode(frame));
  }

  #receive(data: string | Uint8Array): void {
    // Late words of a socket that was given up.
    if (this.#isOver) return;
    this.#unanswered = 0;
    let frame: ServerFrame | undefined;
    try {
      frame = this.#parts.codec.decode(data);
    } catch (error) {
      this.giveUp("a message is not a frame", error, closeCodes.invalidFrame);
      return;
    }
    if (frame !== undefined) this.#take(frame);
  }

  #take(frame: ServerFrame): void {
    switch (frame.t) {
      case "welcome":
        if (this.#welcome !== undefined) return;
        this.#welcome = frame;
        this.#cancelTimer();
        this.#scheduleBeat();
        this.#events.welcomed(frame);
        return;
      case "ok":
        this.#parts.calls?.answered(frame.id, frame.r);
        return;
      case "err":
        this.#parts.calls?.failed(frame.id, WarpError.fromData(frame.e));
        return;
      case "ev":
      case "prog":
      case "gap":
        // With an id it is about a watch.
        if (frame.t === "gap" && frame.id !== undefined) this.#watched({ ...frame, id: frame.id });
        else this.#tell("was pushed", () => this.#events.pushed(frame));
        return;
      case "on":
      case "we":
      case "snap":
      case "msg":
      case "missed":
      case "pres":
      case "end":
        this.#watched(frame);
        return;
      case "inv":
        this.#invalidate(frame);
        return;
      case "pong":
        this.#parts.lease.answered(frame.id, frame.leaseMs);
        return;
      case "mark":
        this.#send({ t: "seen", n: frame.n });
        return;
      case "lost":
        this.#events.lost?.(frame);
        return;
      case "go":
        this.#events.go(frame.withinMs);
        return;
    }
  }

  #watched(frame: WatchFrame): void {
    this.#tell("was told to a watch", () => this.#events.watched?.(frame));
  }

  #tell(what: string, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.giveUp(`what ${what} could not be taken`, error);
    }
  }

  #invalidate({ n, epoch, at, keys = [], prefixes = [], tags = [] }: Frame<"inv">): void {
    const wasDue = this.#acknowledgements.received(n, () =>
      this.#events.invalidate({ epoch, revision: at, keys, prefixes, tags }),
    );
    if (!wasDue) this.giveUp("an invalidation is missing", undefined, closeCodes.invalidFrame);
  }

  /** A beat asks for a sign of life and renews the lease: counted in beats, so that a host that stood still reads its messages first. */
  #scheduleBeat(): void {
    const { heartbeatMs = 0, leaseMs = 0 } = this.#welcome ?? {};
    const { beats, minBeatMs = 0, timers } = this.#parts;
    const everyMs = leaseMs > 0 ? Math.min(heartbeatMs, leaseMs / 4) : heartbeatMs;
    if (!beats || everyMs <= 0 || this.#isOver) return;
    this.#cancelTimer = timers.after(Math.max(minBeatMs, everyMs), () => this.#beat());
  }

  #beat(): void {
    if (this.#unanswered >= maxUnanswered) {
      this.giveUp("it gives no sign of life");
      return;
    }
    this.#unanswered++;
    // A beat is answered by the platform: a shard with nothing to do sleeps on.
    if (this.#parts.lease.isWanted(this.#welcome?.leaseMs ?? 0)) this.#askLease();
    else this.#socket?.send(beatFrame);
    this.#events.beat();
    this.#scheduleBeat();
  }

  #askLease(): void {
    const id = this.#nextId++;
    this.#parts.lease.asks(id);
    this.#send({ t: "ping", id, lease: true });
  }
}

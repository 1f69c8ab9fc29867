import { resolveSettings } from "../../src/core/policy.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import { type FrameCodec, jsonFrames } from "../../src/protocol/wire/frame-codec.ts";
import type { ClientFrame, ServerFrame } from "../../src/protocol/wire/frames.ts";
import { msgpackCodec } from "../../src/protocol/wire/msgpack/msgpack-codec.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { Hub, type HubOptions } from "../../src/shard/hub/hub.ts";
import type { HubSocket } from "../../src/shard/hub/hub-socket.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** The shard's end of a socket that a test holds the other end of. */
export class TestSocket implements HubSocket {
  attachment: unknown;
  /** Whether the client takes in what it is sent. */
  reads = true;
  /** Told of each mark that the client has come to. */
  answer: (mark: number) => void = () => {};
  /** Told of each frame. */
  heard: (frame: ServerFrame) => void = () => {};
  #marks: number[] = [];
  lastBeatMs: number | undefined;
  readonly frames: ServerFrame[] = [];
  /** The text of each frame, or its bytes. */
  readonly sent: string[] = [];
  readonly packed: Uint8Array[] = [];
  /** Times at which the frames came. */
  readonly times: number[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  readonly codec: FrameCodec;
  readonly #clock: { now(): number };

  constructor(clock: { now(): number }, codec = jsonFrames) {
    this.#clock = clock;
    this.codec = codec;
  }

  send(data: string | Uint8Array): void {
    if (this.closedWith !== undefined) return;
    const frame = this.codec.decode(data);
    if (frame === undefined) throw new Error(`the hub sent ${data}`);
    this.frames.push(frame);
    if (typeof data === "string") this.sent.push(data);
    else this.packed.push(data);
    this.times.push(this.#clock.now());
    this.heard(frame);
    if (frame.t === "mark") this.#marks.push(frame.n);
    if (this.reads) this.catchUp();
  }

  /** The client takes in all, or so many marks, of what it was sent. */
  catchUp(marks = this.#marks.length): void {
    for (const mark of this.#marks.splice(0, marks)) this.answer(mark);
  }

  close(code: number, reason: string): void {
    if (reason.length > 123) throw new Error("a reason has at most 123 bytes");
    this.closedWith ??= { code, reason };
  }

  /** The frames of one kind. */
  of<T extends ServerFrame["t"]>(kind: T): Extract<ServerFrame, { t: T }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: T }> => frame.t === kind);
  }

  /** All entries that were pushed, as `revision kind key`; fails where pushes overlap or leave a hole. */
  entries(): string[] {
    let at: number | undefined;
    const entries: string[] = [];
    for (const frame of this.frames) {
      if (frame.t === "gap") at = frame.to;
      if (frame.t !== "ev") continue;
      if (at !== undefined && frame.after !== at) throw new Error(`a push after ${frame.after}, not ${at}`);
      at = frame.to;
      entries.push(...frame.es.map((entry) => entry.join(" ")));
    }
    return entries;
  }
}

/** A shard with its hub, on a virtual clock. */
export class HubBed {
  readonly clock: VirtualClock;
  readonly bed: ShardBed;
  readonly reported: unknown[] = [];
  readonly sockets: TestSocket[] = [];
  hub: Hub;
  #lives = 0;

  constructor(sql: Sql, options: Partial<ShardOptions> = {}) {
    this.clock = virtualClock();
    this.bed = new ShardBed(sql, { clock: this.clock, timers: this.clock, ...options });
    Object.defineProperty(this.bed, "nowMs", { get: () => this.clock.now() });
    this.hub = this.#make();
  }

  /** The next instance on the same database; sockets that are open stay, as in a hibernation, or none of them does. */
  restart(stay = true): void {
    this.bed.restart();
    if (!stay) for (const socket of this.sockets) socket.closedWith ??= { code: 1006, reason: "" };
    this.hub = this.#make();
  }

  /** Another hub over the same shard, whose members it takes over. */
  remake(): void {
    this.hub = this.#make();
  }

  #make(): Hub {
    return new Hub(this.hubOptions());
  }

  /** What the next hub over this shard is made of; the one before does nothing more. */
  hubOptions(): HubOptions {
    const life = ++this.#lives;
    return {
      shard: this.bed.shard,
      clock: this.clock,
      // What an instance has begun ends with it.
      timers: {
        after: (delayMs, run) => this.clock.after(delayMs, () => void (this.#lives === life && run())),
      },
      random: this.bed.random,
      sockets: () => this.sockets.filter(({ closedWith }) => closedWith === undefined),
      checkSettings: resolveSettings,
      report: (error) => void this.reported.push(error),
    };
  }

  /** Opens a socket. */
  open(caller: Partial<Caller> = {}): TestSocket {
    const socket = new TestSocket(this.clock, caller.codec === undefined ? jsonFrames : msgpackCodec);
    this.sockets.push(socket);
    socket.answer = (n) => void this.hub.message(socket, socket.codec.encode({ t: "seen", n }));
    this.hub.accept(socket, {
      space: "test",
      shard: 0,
      subject: "test",
      invalidates: true,
      locks: true,
      isAdmin: false,
      zone: "here",
      ...caller,
    });
    return socket;
  }

  /** Sends a frame, or text as it is, and lets all happen that needs no time. */
  async say(socket: TestSocket, frame: ClientFrame | string | Uint8Array): Promise<void> {
    const data =
      typeof frame === "string" || frame instanceof Uint8Array ? frame : socket.codec.encode(frame);
    void this.hub.message(socket, data);
    await this.clock.settle();
  }

  /** Opens a socket and says hello. */
  async join(hello: Partial<Extract<ClientFrame, { t: "hello" }>> = {}, caller: Partial<Caller> = {}) {
    const socket = this.open(caller);
    await this.say(socket, { t: "hello", v: 1, node: `node-${this.sockets.length}-of-many`, ...hello });
    return socket;
  }
}

import { type ClientFrame, closeCodes, type ServerFrame } from "../../protocol/wire/frames.ts";
import type { ClientHost } from "../../runtime/client-host.ts";
import { retireMs } from "../../runtime/limits.ts";
import { fraction } from "../../runtime/random.ts";
import type { Socket } from "../../runtime/socket.ts";

/** One user of a {@link SharedSocket}. */
export interface SharedLine {
  opened(): void;
  /** A frame for it alone. */
  receive(data: string): void;
  ended(code: number, reason: string): void;
}

interface Asked {
  readonly line: SharedLine;
  /** Its number at the line. */
  readonly id: number;
  readonly isWatch: boolean;
}

interface Welcomed {
  readonly frame: Extract<ServerFrame, { t: "welcome" }>;
  readonly atMs: number;
}

type Numbered = { readonly id: number };

/**
 * One socket for many lines. Each line greets, calls and watches under numbers of its own; here they get numbers that are unique, and what comes back goes where it belongs. What has no number
 * is for every live watch of the session, so it goes to all lines: each takes what it wants.
 */
export class SharedSocket {
  readonly #host: ClientHost;
  readonly #broadcast: (data: string) => void;
  readonly #lines = new Map<SharedLine, Map<number, number>>();
  readonly #asked = new Map<number, Asked>();
  /** Lines that have said hello and wait for the welcome. */
  readonly #greeting = new Set<SharedLine>();
  #socket: Socket | undefined;
  #welcome: Welcomed | undefined;
  #hasGreeted = false;
  #isOpen = false;
  #isOver = false;
  #nextId = 1;

  /** `broadcast`: sends to every line. */
  constructor(
    host: ClientHost,
    url: string,
    protocols: readonly string[],
    broadcast: (data: string) => void,
    ended: () => void,
  ) {
    this.#host = host;
    this.#broadcast = broadcast;
    this.#socket = host.sockets.open(url, protocols, {
      opened: () => {
        this.#isOpen = true;
        for (const line of this.#lines.keys()) line.opened();
      },
      message: (data) => this.#take(data as string),
      closed: (code, reason) => {
        ended();
        this.end(code, reason);
      },
    });
  }

  get isUnused(): boolean {
    return this.#lines.size === 0;
  }

  add(line: SharedLine): void {
    this.#lines.set(line, new Map());
    if (this.#isOpen) line.opened();
  }

  /** It wants nothing more. */
  remove(line: SharedLine): void {
    this.#greeting.delete(line);
    for (const id of this.#lines.get(line)?.values() ?? []) {
      if (this.#asked.get(id)?.isWatch) this.#send({ t: "unsub", id });
      this.#asked.delete(id);
    }
    this.#lines.delete(line);
  }

  /** What a line says. */
  say(line: SharedLine, data: string): void {
    const ids = this.#lines.get(line);
    if (ids === undefined) return;
    const frame = JSON.parse(data) as ClientFrame;
    switch (frame.t) {
      case "hello":
        this.#hello(line, frame);
        return;
      case "sub":
      case "call":
      case "auth": {
        const id = this.#nextId++;
        ids.set(frame.id, id);
        this.#asked.set(id, { line, id: frame.id, isWatch: frame.t === "sub" });
        this.#send({ ...frame, id });
        return;
      }
      case "unsub": {
        const id = ids.get(frame.id);
        if (id !== undefined) this.#send({ t: "unsub", id });
        this.#forget(id);
        return;
      }
      case "here": {
        const id = ids.get(frame.id);
        if (id !== undefined) this.#send({ ...frame, id });
        return;
      }
      case "beat":
        // As it is: its exact text is answered by the platform.
        this.#socket?.send(data);
        return;
      default:
    }
  }

  end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.close(1000, "");
    const lines = [...this.#lines.keys()];
    this.#lines.clear();
    for (const line of lines) line.ended(code, reason);
  }

  /** The first line's greeting goes to the shard; the others get its answer. */
  #hello(line: SharedLine, frame: Extract<ClientFrame, { t: "hello" }>): void {
    if (this.#welcome !== undefined) {
      this.#greet(line, this.#welcome);
      return;
    }
    if (!this.#hasGreeted) this.#send(frame);
    this.#hasGreeted = true;
    this.#greeting.add(line);
  }

  /** The time in it is to be that of now: what a line takes for the shard's clock. */
  #greet(line: SharedLine, { frame, atMs }: Welcomed): void {
    const { nowMs } = frame;
    const told = nowMs === undefined ? frame : { ...frame, nowMs: nowMs + this.#host.clock.now() - atMs };
    line.receive(JSON.stringify(told));
  }

  #take(data: string): void {
    if (this.#isOver) return;
    const frame = JSON.parse(data) as ServerFrame;
    if (frame.t === "welcome") {
      const welcome = { frame, atMs: this.#host.clock.now() };
      this.#welcome = welcome;
      for (const line of this.#greeting) this.#greet(line, welcome);
      this.#greeting.clear();
    } else if (frame.t === "mark") this.#send({ t: "seen", n: frame.n });
    else if (frame.t === "go") this.#retire(frame.withinMs);
    else if ("id" in frame && frame.id !== undefined) this.#give(frame as ServerFrame & Numbered);
    else this.#broadcast(data);
  }

  #give(frame: ServerFrame & Numbered): void {
    const asked = this.#asked.get(frame.id);
    if (asked === undefined) return;
    asked.line.receive(JSON.stringify({ ...frame, id: asked.id }));
    if (!asked.isWatch || frame.t === "end") this.#forget(frame.id);
  }

  #forget(id: number | undefined): void {
    if (id === undefined) return;
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked !== undefined) this.#lines.get(asked.line)?.delete(asked.id);
  }

  /** The shard wants to be left: all lines come again, over the next socket. */
  #retire(withinMs: number): void {
    const { timers, random } = this.#host;
    timers.after(fraction(random) * withinMs, () => {
      const hasCalls = [...this.#asked.values()].some(({ isWatch }) => !isWatch);
      timers.after(hasCalls ? retireMs : 0, () => {
        if (!this.#isOver) this.#socket?.close(1000, "");
        this.end(closeCodes.restarting, "the shard asked for it");
      });
    });
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}

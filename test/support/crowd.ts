import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Backoff } from "../../src/connection/socket/backoff.ts";
import { nodeRandom } from "../../src/platform/node.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import type { ClientFrame, ServerFrame } from "../../src/protocol/wire/frames.ts";
import { eventPayload } from "../../src/protocol/wire/watch-frames.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { reconnectBaseMs, reconnectCapMs } from "../../src/runtime/limits.ts";

/** What was written: its number, and when by this process's clock. */
interface Written {
  readonly n: number;
  readonly at: number;
}

/** One of many who watch the prefix `w:` of a space by a bare `warp.v1` socket, and come back when it ends. */
export class CrowdMember {
  readonly #crowd: Crowd;
  readonly #backoff: Backoff;
  #socket: WebSocket | undefined;
  #position: { readonly epoch: string; readonly revision: number } | undefined;
  isLive = false;
  /** Numbers of events, in the order in which they came. */
  readonly seen: number[] = [];
  gaps = 0;
  #isOver = false;

  constructor(crowd: Crowd) {
    this.#crowd = crowd;
    this.#backoff = new Backoff(nodeRandom, { baseMs: reconnectBaseMs, capMs: reconnectCapMs });
  }

  connect(): void {
    if (this.#isOver) return;
    const socket = new WebSocket(`${this.#crowd.url}/connect?shard=0&follow=false`, ["warp.v1.json"]);
    this.#socket = socket;
    this.#crowd.attempts++;
    let openedAt = Number.NaN;
    socket.addEventListener("open", () => {
      openedAt = performance.now();
      this.#say({ t: "hello", v: 1, node: "one-of-a-crowd", follow: false });
    });
    socket.addEventListener("message", ({ data }) => {
      const frame = socket === this.#socket ? decodeServerFrame(String(data)) : undefined;
      if (frame !== undefined) this.#take(frame);
    });
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }) => {
      if (socket !== this.#socket) return;
      if (code === 4100) this.#crowd.refusedAfterMs.push(performance.now() - openedAt);
      this.#closed(code, reason);
    });
  }

  /** Ends it for good. */
  stop(): void {
    this.#isOver = true;
    this.#socket?.close(1000, "");
  }

  #closed(code: number, reason: string): void {
    this.isLive = false;
    if (this.#isOver) return;
    this.#crowd.note(code, reason);
    setTimeout(() => this.connect(), this.#backoff.next());
  }

  #say(frame: ClientFrame): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(frame));
  }

  #take(frame: ServerFrame): void {
    if (frame.t === "welcome") {
      this.#say({ t: "sub", id: 1, prefix: "w:", mode: "all", from: this.#position ?? "now" });
    } else if (frame.t === "mark") this.#say({ t: "seen", n: frame.n });
    else if (frame.t === "gap") this.gaps++;
    else if (frame.t === "on") {
      this.#position ??= frame;
      if (frame.live !== true) return;
      this.isLive = true;
      this.#backoff.reset();
    } else if (frame.t === "we") {
      const from = this.#position?.epoch === frame.epoch ? this.#position.revision : 0;
      for (const event of frame.es) if (event[0] > from) this.#event(event);
      this.#position = { epoch: frame.epoch, revision: Math.max(from, frame.to) };
    }
  }

  #event(event: Extract<ServerFrame, { t: "we" }>["es"][number]): void {
    const payload = eventPayload(event);
    if (payload === undefined || payload === "omitted") throw new Error("an event has lost its value");
    const { n, at } = JSON.parse(fromUtf8(payload.bytes)) as Written;
    this.seen.push(n);
    this.#crowd.latencies.push(performance.now() - at);
  }
}

/** Many watchers of one space in this process. */
export class Crowd {
  /** Of the space, with its scheme for sockets. */
  readonly url: string;
  readonly members: CrowdMember[] = [];
  readonly latencies: number[] = [];
  /** Closes by code; of those with 4100 by what they say. */
  readonly closes = new Map<string, number>();
  attempts = 0;
  /** How long those that were refused had been open. */
  readonly refusedAfterMs: number[] = [];

  constructor(url: string) {
    this.url = url.replace(/^http/, "ws");
  }

  note(code: number, reason: string): void {
    const what = `${code} ${reason.replaceAll(/\d+ ms/g, "… ms")}`.trim();
    this.closes.set(what, (this.closes.get(what) ?? 0) + 1);
  }

  /** Opens so many more, `atATime` of them at once, and waits until all are live. */
  async grow(count: number, atATime = 50): Promise<void> {
    for (let made = 0; made < count; made += atATime) {
      const some = Array.from({ length: Math.min(atATime, count - made) }, () => new CrowdMember(this));
      this.members.push(...some);
      for (const member of some) member.connect();
      await this.untilLive(some);
    }
  }

  /** Gives after how many ms all are live. */
  async untilLive(members: readonly CrowdMember[] = this.members, timeoutMs = 120_000): Promise<number> {
    const began = performance.now();
    for (;;) {
      const missing = members.filter(({ isLive }) => !isLive).length;
      if (missing === 0) return performance.now() - began;
      if (performance.now() - began > timeoutMs) {
        throw new Error(`${missing} of ${members.length} are not live; ${this.summary()}`);
      }
      await sleep(5);
    }
  }

  /** Waits until each has seen `events` events. */
  async untilSeen(events: number, timeoutMs = 120_000): Promise<void> {
    const began = performance.now();
    for (;;) {
      const missing = this.members.filter(({ seen }) => seen.length < events).length;
      if (missing === 0) return;
      if (performance.now() - began > timeoutMs) throw new Error(`${missing} have not seen all`);
      await sleep(20);
    }
  }

  /** Those that were told anything but each event once and in order. */
  wrong(events: number): string[] {
    return this.members.flatMap(({ seen, gaps }, at) => {
      const isRight = gaps === 0 && seen.length === events && seen.every((n, i) => n === i);
      return isRight ? [] : [`watcher ${at}: ${gaps} gaps, ${seen.slice(-8).join()} of ${events}`];
    });
  }

  summary(): string {
    const closes = [...this.closes].map(([what, count]) => `${count} × ${what}`).join("; ");
    return `${this.attempts} sockets; closes: ${closes || "none"}`;
  }

  stop(): void {
    for (const member of this.members) member.stop();
  }
}

/** The value below which a share of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** CPU ms that a process has used; 0 where the host does not tell. */
export function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

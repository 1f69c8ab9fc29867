import { createApp } from "../../src/http/app.ts";
import type { HttpConfig } from "../../src/http/config.ts";
import type { CallerSocket, Deployment } from "../../src/http/deployment.ts";
import { requestWatches } from "../../src/presets/request-watches.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import type { SocketEvents } from "../../src/runtime/socket.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { directConnection } from "../support/direct-connection.ts";
import { EventStreamParser } from "../support/event-stream.ts";
import { NodeBed } from "../support/node-bed.ts";
import { seeded } from "../support/seeded.ts";
import type { VirtualWire } from "../support/virtual-wire.ts";
import { config, secret } from "./bed.ts";
import { FakeSpaces } from "./fake-warp.ts";

/** A stream of events that is read as it comes. */
export class TestStream {
  readonly parser = new EventStreamParser();
  readonly response: Response;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** All bytes that came. */
  bytes = 0;
  isOver = false;

  constructor(response: Response, isRead = true) {
    if (response.body === null) throw new Error(`${response.status} without a body`);
    this.response = response;
    this.#reader = response.body.getReader();
    if (isRead) void this.read();
  }

  /** Reads on until the end. */
  async read(): Promise<void> {
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) break;
      this.bytes += value.length;
      this.parser.push(value);
    }
    this.isOver = true;
  }

  /** Goes away. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }

  /** The JSON of each event, with its kind checked against its type. */
  get items(): readonly Record<string, unknown>[] {
    return this.parser.events.map(({ type, data }) => {
      const item = JSON.parse(data) as Record<string, unknown>;
      if (item.kind !== type) throw new Error(`${type} with ${data}`);
      return item;
    });
  }

  /** Each event as `kind key=value`. */
  get told(): readonly string[] {
    return this.items.map(textOf);
  }
}

/** An item as `kind key=value`. */
export function textOf({ kind, key, text, json, entries }: Record<string, unknown>): string {
  if (Array.isArray(entries))
    return `${kind} ${entries.map((entry) => textOf({ ...entry, kind: "" }).trim())}`;
  const value = text ?? json;
  return [kind, value === undefined ? key : `${key}=${value}`].filter((part) => part !== undefined).join(" ");
}

/** The caller's end of a plain socket. */
export class TestCaller {
  readonly messages: string[] = [];
  /** Those that it has not sent back. */
  readonly marks: string[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  /** Whether it sends marks back. */
  reads = true;
  readonly protocol: string | undefined;
  readonly #events: Omit<SocketEvents, "opened">;

  constructor(protocol: string | undefined, events: Omit<SocketEvents, "opened">) {
    this.protocol = protocol;
    this.#events = events;
  }

  get socket(): CallerSocket["socket"] {
    const caller = this;
    return {
      send(data) {
        if (caller.closedWith !== undefined) return;
        const text = typeof data === "string" ? data : fromUtf8(data);
        if (!text.startsWith('{"kind":"mark"')) caller.messages.push(text);
        else if (caller.reads) void Promise.resolve().then(() => caller.say(text));
        else caller.marks.push(text);
      },
      close(code, reason) {
        caller.closedWith ??= { code, reason };
      },
      bufferedBytes: 0,
    };
  }

  get items(): readonly Record<string, unknown>[] {
    return this.messages.map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  get told(): readonly string[] {
    return this.items.map(textOf);
  }

  say(data: string | Uint8Array): void {
    this.#events.message(data);
  }

  leave(): void {
    this.#events.closed(1001, "");
  }
}

/** The HTTP edge over a real shard and its hub, in virtual time. */
export class HttpWatchBed {
  readonly shard: NodeBed;
  readonly wires: VirtualWire[] = [];
  /** Told of each way to the shard before it is used. */
  onWire: (wire: VirtualWire) => void = () => {};
  readonly callers: TestCaller[] = [];
  readonly logged: unknown[] = [];
  /** The watches that were opened last. */
  door: ReturnType<typeof requestWatches> | undefined;
  readonly app: ReturnType<typeof createApp>;

  constructor(sql: Sql, changes: Partial<HttpConfig> = {}) {
    this.shard = new NodeBed(sql, {}, { subject: "test", isAdmin: true }, { logMaxAgeMs: 1_000 });
    const { clock } = this.shard;
    const random = seeded(7);
    const calls = directConnection("test", () => this.shard.bed.shard);
    const node = this.shard.door().warp;
    const deployment: Deployment = {
      warp: () => node,
      spaces: new FakeSpaces(),
      config: config(changes),
      clock,
      random,
      log: { error: (...words) => void this.logged.push(words) },
      watching: {
        timers: clock,
        open: (caller) => {
          this.door = requestWatches({
            calls,
            sockets: (shard) => {
              const wire = this.shard.wire({ ...caller, shard }, 0);
              this.onWire(wire);
              this.wires.push(wire);
              return wire;
            },
            timers: clock,
            clock,
            random,
          });
          return this.door;
        },
        upgrade: (protocol, events) => {
          const caller = new TestCaller(protocol, events);
          this.callers.push(caller);
          // No host lets a test make an answer of status 101.
          return { socket: caller.socket, response: new Response("a socket") };
        },
      },
    };
    this.app = createApp(deployment);
  }

  static async create(sql: Sql, changes: Partial<HttpConfig> = {}): Promise<HttpWatchBed> {
    const bed = new HttpWatchBed(sql, changes);
    await bed.shard.bed.create();
    return bed;
  }

  /** Sockets to the shard that are open at either end. */
  get sockets(): number {
    return Math.max(this.shard.sockets, ...this.wires.map(({ lines }) => lines));
  }

  /** Lets all happen that needs no time. Streams take turns of the host's own, which no virtual clock moves. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) {
      await this.shard.clock.settle();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Moves time on, in steps of at most `stepMs`. */
  async pass(ms: number, stepMs = 5_000): Promise<void> {
    await this.settle();
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      await this.shard.clock.advance(Math.min(stepMs, leftMs));
      await this.settle();
    }
  }

  /** A request; time passes while it is answered. */
  async send(path: string, init: RequestInit & { readonly bearer?: string } = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${init.bearer ?? secret}`);
    let isOver = false;
    const answer = Promise.resolve(
      this.app.request(`http://localhost/v1/test/${path}`, { ...init, headers }),
    );
    const end = (): void => {
      isOver = true;
    };
    answer.then(end, end);
    await this.settle();
    for (let steps = 0; steps < 100 && !isOver; steps++) await this.pass(400);
    return await answer;
  }

  /** A stream of events. */
  async stream(
    query: string,
    headers: Record<string, string> = {},
    { isRead = true, bearer = secret } = {},
  ): Promise<TestStream> {
    const response = await this.send(`watch?${query}`, { headers, bearer });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const stream = new TestStream(response, isRead);
    await this.settle();
    return stream;
  }

  async socket(query: string, headers: Record<string, string> = {}): Promise<TestCaller> {
    const response = await this.send(`watch?${query}`, { headers: { Upgrade: "websocket", ...headers } });
    const caller = this.callers.at(-1);
    if (caller === undefined) throw new Error(`${response.status} ${await response.text()}`);
    await this.settle();
    return caller;
  }

  /** A write, and the time in which watchers are told of it. */
  async put(key: string, body: string | Uint8Array<ArrayBuffer>, type = "text/plain"): Promise<void> {
    const path = `keys/${encodeURIComponent(key)}`;
    const response = await this.send(path, { method: "PUT", body, headers: { "Content-Type": type } });
    if (response.status >= 300) throw new Error(await response.text());
    await this.pass(20);
  }

  /** Many writes, each at a revision of its own. */
  async putAll(keys: readonly string[], textOfKey: (key: string) => string): Promise<void> {
    for (let from = 0; from < keys.length; from += 50) {
      const operations = keys
        .slice(from, from + 50)
        .map((key) => ({ op: "set", key, contentType: "text/plain", text: textOfKey(key) }));
      const init = { method: "POST", headers: { "Content-Type": "application/json" } };
      const response = await this.send("batch", { ...init, body: JSON.stringify({ operations }) });
      if (response.status !== 200) throw new Error(await response.text());
      await this.pass(20);
    }
  }

  /** The JSON of a long poll. */
  async changes(query: string): Promise<ChangesAnswer> {
    const response = await this.send(`changes?${query}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
    return JSON.parse(text) as ChangesAnswer;
  }
}

export interface ChangesAnswer {
  readonly cursor: string;
  readonly events: readonly Record<string, unknown>[];
  readonly gap?: string;
}

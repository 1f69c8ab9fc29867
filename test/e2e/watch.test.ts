import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventStreamParser } from "../support/event-stream.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

const secret = "a-secret-of-enough-bytes";
const bearer = { Authorization: `Bearer ${secret}` };

/** A stream of events over the network, read as it comes, as `EventSource` does. */
class Stream {
  readonly parser = new EventStreamParser();
  readonly #abort = new AbortController();
  isOver = false;

  static async open(url: string, headers: Record<string, string> = bearer): Promise<Stream> {
    const stream = new Stream();
    const response = await fetch(url, { headers, signal: stream.#abort.signal });
    if (response.status !== 200 || response.body === null) throw new Error(await response.text());
    const { body } = response;
    void (async () => {
      try {
        for await (const chunk of body) stream.parser.push(chunk);
      } catch {
        // It was cut, or left.
      }
      stream.isOver = true;
    })();
    return stream;
  }

  leave(): void {
    this.#abort.abort();
  }

  get values(): string[] {
    return this.parser.events.map(({ data }) => String((JSON.parse(data) as { text?: string }).text));
  }
}

async function put(url: string, key: string, text: string): Promise<void> {
  const headers = { ...bearer, "Content-Type": "text/plain" };
  const response = await fetch(`${url}/v1/shop/keys/${key}`, { method: "PUT", headers, body: text });
  if (!response.ok) throw new Error(await response.text());
}

async function mint(url: string, claims: object): Promise<string> {
  const headers = { ...bearer, "Content-Type": "application/json" };
  const response = await fetch(`${url}/tokens`, { method: "POST", headers, body: JSON.stringify(claims) });
  if (!response.ok) throw new Error(await response.text());
  return ((await response.json()) as { token: string }).token;
}

describe("watching over HTTP at a deployment", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let served: Served;
  const env = { WARP_SECRET: secret, WARP_MAX_SOCKETS_PER_SUBJECT: "4" };

  beforeAll(async () => {
    folder = await temporaryFolder();
    served = await startServe(folder.path, [], env);
    const headers = { ...bearer, "Content-Type": "application/json" };
    await fetch(`${served.url}/v1/shop`, { method: "PUT", headers, body: '{"shards":2}' });
  });
  afterAll(async () => {
    await served.stop();
    await folder[Symbol.asyncDispose]();
  });

  test("WB-08 curl sees a write within a second", async () => {
    const curl = spawn("curl", [
      "-sN",
      "-H",
      `Authorization: Bearer ${secret}`,
      `${served.url}/v1/shop/watch?prefix=curl:`,
    ]);
    try {
      let said = "";
      curl.stdout.on("data", (chunk: Buffer) => (said += chunk));
      expect(await eventually(() => said.includes("id: "))).toBe(true);
      await put(served.url, "curl:1", "hello");
      expect(await eventually(() => said.includes('"text":"hello"'), 1_000)).toBe(true);
    } finally {
      curl.kill();
    }
  });

  test("WB-08 WB-09 watchers whose clients leave, or end without a word, are gone: there is room for the next ones", async () => {
    // Of one subject each shard takes four at a time.
    const token = await mint(served.url, {
      subject: "web",
      spaces: ["shop"],
      prefixes: [""],
      verbs: ["read"],
    });
    const url = `${served.url}/v1/shop/watch?prefix=`;
    const open = () => Stream.open(url, { Authorization: `Bearer ${token}` });
    const sockets = await Promise.all([1, 2, 3, 4].map(() => plain(url, token)));
    await expect(open()).rejects.toThrow("overloaded");
    for (const { ws } of sockets) ws.close();
    const streams = [await opened(open, 5_000), await opened(open, 5_000)];
    const curl = spawn("curl", ["-sN", "-H", `Authorization: Bearer ${token}`, url]);
    await once(curl.stdout, "data");
    const raw = await upgraded(served.url, token);
    await expect(open()).rejects.toThrow("overloaded");
    curl.kill("SIGKILL");
    raw.resetAndDestroy();
    for (const stream of streams) stream.leave();
    // That nobody reads a stream any more shows when something is written to it: after 15 s at the latest, here.
    for (let place = 0; place < 4; place++) streams.push(await opened(open, 40_000));
    for (const stream of streams) stream.leave();
  });

  test("WB-09 a plain socket: a write arrives, marks go back, and many megabytes pass", async () => {
    const socket = await plain(`${served.url}/v1/shop/watch?prefix=plain:&ops=set`, secret);
    const text = "x".repeat(15_000);
    for (let i = 0; i < 100; i++) await put(served.url, `plain:${i}`, text);
    expect(await eventually(() => socket.items.length === 101)).toBe(true);
    expect(socket.marks).toBeGreaterThan(15);
    expect(
      socket.items
        .map(({ key }) => key)
        .slice(1)
        .sort(),
    ).toEqual(Array.from({ length: 100 }, (_, i) => `plain:${i}`).sort());
    socket.ws.close();
  });

  test("SE2 a page shows a token for one use in the query; a second use is refused", async () => {
    const token = await mint(served.url, {
      ...{ subject: "page", spaces: ["shop"], prefixes: ["page:"], verbs: ["read"] },
      ...{ use: "once", expiresInMs: 30_000 },
    });
    const url = `${served.url}/v1/shop/watch?prefix=page:&token=${token}`;
    const stream = await Stream.open(url, {});
    await put(served.url, "page:1", "hello");
    expect(await eventually(() => stream.values.length === 1, 1_000)).toBe(true);
    const again = await fetch(url);
    expect([again.status, ((await again.json()) as { code: string }).code]).toEqual([401, "token_invalid"]);
    stream.leave();
  });

  test("WA2 WA3 after kill -9 a client that sends its last id is told the rest, of two shards, once and in order", async () => {
    const written: string[] = [];
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const text = String(written.length);
        await put(served.url, `log:${written.length % 7}`, text);
        written.push(text);
      }
    };
    const watchUrl = () => `${served.url}/v1/shop/watch?prefix=log:&ops=set`;
    let stream = await Stream.open(watchUrl());
    const { lastEventId } = stream.parser;
    const told: string[] = [];
    for (let round = 0; round < 2; round++) {
      await write(20);
      if (round === 0) await eventually(() => stream.values.length >= 10);
      await served.kill();
      await eventually(() => stream.isOver);
      told.push(...stream.values);
      const id = stream.parser.lastEventId || lastEventId;
      served = await startServe(folder.path, [], env);
      await write(10);
      stream = await Stream.open(watchUrl(), { ...bearer, "Last-Event-ID": id });
    }
    await write(5);
    expect(await eventually(() => told.length + stream.values.length >= written.length)).toBe(true);
    await sleep(200);
    told.push(...stream.values);
    expect([...told].sort((a, b) => Number(a) - Number(b))).toEqual(written);
    for (let key = 0; key < 7; key++) {
      const ofKey = told.filter((text) => Number(text) % 7 === key).map(Number);
      expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
    }
    stream.leave();
  });
});

/** Opens a stream as soon as there is room. */
async function opened(open: () => Promise<Stream>, withinMs: number): Promise<Stream> {
  for (const untilMs = Date.now() + withinMs; ; await sleep(200)) {
    try {
      return await open();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
    }
  }
}

interface Plain {
  readonly ws: WebSocket;
  readonly items: Record<string, unknown>[];
  readonly marks: number;
}

/** A socket of a client that does what it has to. */
async function plain(url: string, token: string): Promise<Plain> {
  const ws = new WebSocket(url.replace("http", "ws"), ["warp.watch.json", `warp.auth.${token}`]);
  const found = { ws, items: [] as Record<string, unknown>[], marks: 0 };
  ws.addEventListener("message", ({ data }) => {
    const item = JSON.parse(String(data)) as Record<string, unknown>;
    if (item.kind !== "mark") found.items.push(item);
    else {
      found.marks++;
      ws.send(String(data));
    }
  });
  await once(ws, "open");
  await eventually(() => found.items.length > 0);
  return found;
}

/** A socket over a connection that can be cut without a word. */
async function upgraded(url: string, token: string): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const raw = connect(Number(port), hostname);
  raw.write(
    [
      ...[`GET /v1/shop/watch?prefix= HTTP/1.1`, `Host: ${host}`, `Authorization: Bearer ${token}`],
      ...["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
      ...[`Sec-WebSocket-Key: ${btoa("0123456789abcdef")}`, "", ""],
    ].join("\r\n"),
  );
  await once(raw, "data");
  return raw;
}

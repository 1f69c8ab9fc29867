import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { createWarp } from "../../src/edge.ts";
import type { WarpRelay } from "../../src/objects/warp-relay.ts";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import type { EdgeEnv } from "../../src/presets/edge-spaces.ts";
import { relayName } from "../../src/protocol/relay.ts";
import { shardName } from "../../src/protocol/space.ts";
import { defaultShardWatchers } from "../../src/runtime/relay-limits.ts";
import { readRecord } from "../../src/shard/hub/hub-socket.ts";
import { EventStreamParser } from "../support/event-stream.ts";

const { SHARDS } = env as unknown as WarpShardEnv;
const { RELAYS } = env as unknown as { readonly RELAYS: DurableObjectNamespace<WarpRelay> };
const worker = (exports as unknown as { readonly default: Fetcher }).default;
const until = (fine: () => boolean | Promise<boolean>) =>
  vi.waitUntil(fine, { timeout: 10_000, interval: 20 });
let spaces = 0;

const shardOf = (space: string) => SHARDS.get(SHARDS.idFromName(shardName(space, 0)));
/** Sockets of watchers at an object; the isolate has one of its own beside them. */
function watchersAt(stub: DurableObjectStub<WarpShard> | DurableObjectStub<WarpRelay>): Promise<number> {
  return runInDurableObject(stub as DurableObjectStub<WarpShard>, (_, state) => {
    const callers = state.getWebSockets().map((ws) => readRecord(ws.deserializeAttachment())?.caller);
    return callers.filter((caller) => caller?.follows === false).length;
  });
}

async function put(space: string, key: string, text: string): Promise<void> {
  const init = { method: "PUT", body: text, headers: { "Content-Type": "text/plain" } };
  const response = await worker.fetch(`http://localhost/v1/${space}/keys/${key}`, init);
  expect(response.status).toBeLessThan(300);
  await response.body?.cancel();
}

/** A stream of events of the Worker, read as it comes. */
async function stream(space: string, query: string) {
  const response = await worker.fetch(`http://localhost/v1/${space}/watch?${query}`);
  if (response.status !== 200 || response.body === null) throw new Error(await response.text());
  const parser = new EventStreamParser();
  const reader = response.body.getReader();
  void (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      parser.push(value);
    }
  })().catch(() => undefined);
  const told = () =>
    parser.events.map(({ data }) => {
      const { kind, key, text } = JSON.parse(data) as Record<string, string>;
      return `${kind} ${key}=${text}`;
    });
  return { parser, told, leave: () => reader.cancel() };
}

describe("watching over HTTP in a Worker", () => {
  it("WB-08 WA8 while a stream is open the shard's object hibernates; the next write arrives; a client that goes takes its socket with it", async () => {
    const space = `http-watch-${spaces++}`;
    await put(space, "a", "0");
    const one = await stream(space, "prefix=&ops=set");
    await put(space, "a", "1");
    await until(() => one.told().length === 1);
    expect(await watchersAt(shardOf(space))).toBe(1);
    await evictDurableObject(shardOf(space));
    await put(space, "a", "2");
    await until(() => one.told().length === 2);
    expect(one.told()).toEqual(["set a=1", "set a=2"]);
    await one.leave();
    await until(async () => (await watchersAt(shardOf(space))) === 0);
  });

  it("WB-09 a plain socket tells what happens, and its end is the watcher's", async () => {
    const space = `http-watch-${spaces++}`;
    await put(space, "a", "0");
    const headers = { Upgrade: "websocket" };
    const { webSocket } = await worker.fetch(`http://localhost/v1/${space}/watch?key=a`, { headers });
    if (webSocket === null) throw new Error("no socket");
    const messages: string[] = [];
    webSocket.addEventListener("message", ({ data }) => void messages.push(String(data)));
    webSocket.accept();
    await until(() => messages.length === 1);
    await put(space, "a", "1");
    await until(() => messages.length === 2);
    expect(messages.map((text) => JSON.parse(text))).toMatchObject([
      { kind: "position" },
      { kind: "set", key: "a", text: "1" },
    ]);
    expect(await watchersAt(shardOf(space))).toBe(1);
    webSocket.close(1000, "");
    await until(async () => (await watchersAt(shardOf(space))) === 0);
  });

  it("a long poll leaves nothing behind", async () => {
    const space = `http-watch-${spaces++}`;
    await put(space, "a", "0");
    const changes = async (query: string) =>
      (await (await worker.fetch(`http://localhost/v1/${space}/changes?prefix=${query}`)).json()) as {
        cursor: string;
        events: { text: string }[];
      };
    const { cursor } = await changes("");
    const waiting = changes(`&since=${cursor}&waitMs=20000`);
    await put(space, "a", "1");
    expect((await waiting).events).toMatchObject([{ text: "1" }]);
    await until(async () => (await watchersAt(shardOf(space))) === 0);
  });

  it("streams beyond what a shard takes go to a relay, and are told the same", async () => {
    const space = `http-watch-${spaces++}`;
    await put(space, "a", "0");
    const all: Awaited<ReturnType<typeof stream>>[] = [];
    while (all.length < defaultShardWatchers + 5) {
      all.push(...(await Promise.all(Array.from({ length: 41 }, () => stream(space, "prefix=&ops=set")))));
    }
    const relay = RELAYS.get(RELAYS.idFromName(relayName(space, 0, 0)));
    const atRelay = () => watchersAt(relay);
    expect(await atRelay()).toBe(all.length - defaultShardWatchers);
    for (const text of ["1", "2"]) await put(space, "a", text);
    await until(() => all.every(({ told }) => told().length >= 2));
    for (const { told } of all) expect(told()).toEqual(["set a=1", "set a=2"]);
    for (const { leave } of all) await leave();
    await until(async () => (await atRelay()) === 0);
  });

  it("WA3 WA4 the application's own code watches within a request, from a snapshot and from a cursor", async () => {
    const space = `http-watch-${spaces++}`;
    const warp = createWarp(env as unknown as EdgeEnv, { space });
    await warp.set("a", 1);
    const told: string[] = [];
    let cursor = "";
    for await (const item of warp.watch<number>(
      { prefix: "" },
      { from: "snapshot", ops: ["set", "delete"] },
    )) {
      if (item.kind === "snapshot") {
        told.push(...item.entries.map(({ key, value }) => `${key}=${value}`));
        if (item.done) await warp.set("a", 2);
      } else if (item.kind === "set") {
        told.push(`${item.key}=${item.value}`);
        cursor = item.cursor ?? "";
        break;
      }
    }
    expect(told).toEqual(["a=1", "a=2"]);
    await warp.delete("a");
    for await (const item of warp.watch({ key: "a" }, { from: { cursor } })) {
      expect(item.kind).toBe("delete");
      break;
    }
    expect(warp.stats().watches).toBe(0);
    await until(async () => (await watchersAt(shardOf(space))) === 0);
  });
});

import { evictDurableObject, listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { connectShard } from "../../src/objects/connect.ts";
import type { WarpRelay } from "../../src/objects/warp-relay.ts";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom } from "../../src/platform/workers.ts";
import { relayName } from "../../src/protocol/relay.ts";
import { isRefusal, type Refusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import type { ClientFrame } from "../../src/protocol/wire/frames.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { defaultShardWatchers } from "../../src/runtime/relay-limits.ts";
import { ClientWatch, WatchClient } from "../support/watch-client.ts";

const objects = env as unknown as WarpShardEnv;
const { SHARDS } = objects;
const { RELAYS } = env as unknown as { readonly RELAYS: DurableObjectNamespace<WarpRelay> };
const space = "relayed";
const shard = () => SHARDS.get(SHARDS.idFromName(shardName(space, 0)));
const relay = (at = 0) => RELAYS.get(RELAYS.idFromName(relayName(space, 0, at)));
const until = (fine: () => boolean) => vi.waitUntil(fine, { timeout: 10_000, interval: 10 });
const opId = () => scopeOpId("test", uuidv7(workersClock, workersRandom));
let scope = { space, shard: 0, spaceId: "", registrations: 0 };
let ids = 0;

function reply<T extends object>(answer: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.refused.code}`);
  return answer as Exclude<T, Refusal>;
}

/** A watcher's socket, wherever there is room for it. */
async function connect() {
  const caller = { space, shard: 0, subject: "test", invalidates: false, locks: false, isAdmin: false };
  const { webSocket } = await connectShard(objects, { ...caller, follows: false });
  if (webSocket === null) throw new Error("no socket");
  const client = new WatchClient();
  const answers = new Map<number, unknown>();
  let welcomed = false;
  let closed: { readonly code: number; readonly reason: string } | undefined;
  webSocket.addEventListener("message", ({ data }) => {
    const frame = decodeServerFrame(String(data));
    if (frame?.t === "welcome") welcomed = true;
    if (frame?.t === "ok") answers.set(frame.id, frame.r);
    if (frame?.t === "err") answers.set(frame.id, frame.e);
    if (frame !== undefined) client.take(frame);
  });
  webSocket.addEventListener("close", ({ code, reason }) => {
    closed = { code, reason };
  });
  webSocket.accept();
  const say = (frame: ClientFrame) => webSocket.send(encodeFrame(frame));
  say({ t: "hello", v: 1, node: "node-of-a-test", follow: false });
  await until(() => welcomed || closed !== undefined);
  return {
    client,
    answers,
    say,
    end: () => webSocket.close(1000, ""),
    closed: () => closed,
    watch(prefix: string, from: Extract<ClientFrame, { t: "sub" }>["from"] = "now") {
      const id = ++ids;
      const watch = new ClientWatch({ target: { prefix }, mode: "all" });
      client.watches.set(id, watch);
      say({ t: "sub", id, prefix, mode: "all", from });
      return watch;
    },
  };
}

const set = async (key: string, text: string) =>
  reply(
    await shard().mutate({
      ...scope,
      mutations: [
        {
          kind: "set",
          opId: opId(),
          key,
          payload: { bytes: new TextEncoder().encode(text), contentType: "text/plain" },
        },
      ],
    }),
  );

const sockets = (stub: DurableObjectStub<WarpShard> | DurableObjectStub<WarpRelay>) =>
  runInDurableObject(stub as DurableObjectStub<WarpRelay>, (_, state) => state.getWebSockets().length);

beforeAll(async () => {
  const made = reply(await shard().createSpace(space, {}));
  scope = { ...scope, spaceId: made.space.id };
  for (let at = 0; at < defaultShardWatchers; at++) {
    await connect();
  }
});

describe("relays", () => {
  it("WA8 watchers beyond those of a shard are at a relay, which sleeps with its shard and is woken by what happens", async () => {
    const watchers = [await connect(), await connect(), await connect()];
    expect(await sockets(shard())).toBe(defaultShardWatchers);
    expect(await sockets(relay())).toBe(3);
    const watches = watchers.map((watcher) => watcher.watch("a"));
    await until(() => watches.every(({ isLive }) => isLive));
    await set("a1", "one");
    await until(() => watches.every(({ told }) => told.length > 0));
    await evictDurableObject(relay());
    await evictDurableObject(shard());
    await set("b", "nobody asks");
    await set("a2", "two");
    await until(() => watches.every(({ told }) => told.length > 1));
    for (const { told } of watches) expect(told).toEqual(["1 set a1 one", "3 set a2 two"]);

    // Calls go on to the shard, after a look at what the caller may.
    const [one] = watchers;
    one?.say({ t: "call", id: 1, m: "read", a: [{ ...scope, keys: ["a1"] }] });
    one?.say({ t: "call", id: 2, m: "deleteSpace", a: [space, "begin"] });
    await until(() => one?.answers.size === 2);
    expect(one?.answers.get(1)).toMatchObject({ entries: [{ key: "a1", version: 1 }] });
    expect(one?.answers.get(2)).toMatchObject({ code: "forbidden" });

    // Another one comes with a cursor, or wants the state.
    const late = await connect();
    const resumed = late.watch("a", { epoch: watches[0]?.position?.epoch ?? "", revision: 1 });
    const state = late.watch("", "snapshot");
    await until(() => resumed.isLive && state.isLive);
    expect(resumed.told).toEqual(["3 set a2 two"]);
    expect(state.state).toEqual(
      new Map([
        ["a1", 1],
        ["a2", 3],
        ["b", 2],
      ]),
    );
    const future = late.watch("", { epoch: watches[0]?.position?.epoch ?? "", revision: 1_000 });
    await until(() => future.ended !== undefined);
    expect(future.ended).toBe("invalid_cursor");
    for (const watcher of [...watchers, late]) watcher.end();
  });

  it("WA2 what was not retained reaches the watchers of a relay; when the space goes they are told", async () => {
    const watcher = await connect();
    const watch = watcher.watch("p");
    await until(() => watch.isLive);
    const payload = { bytes: new TextEncoder().encode("hi"), contentType: "text/plain" };
    const publish = async (retained: boolean) =>
      reply(await shard().publish({ ...scope, opId: opId(), target: { key: "p1" }, payload, retained }));
    await publish(false);
    await publish(true);
    await until(() => watch.told.length === 1 && watcher.client.messages.length === 1);
    expect(watcher.client.messages).toEqual(["publish p1 hi"]);
    reply(await shard().deleteSpace(space, "begin"));
    reply(await shard().deleteSpace(space, "finish"));
    await until(() => watcher.closed() !== undefined);
    expect(watcher.closed()).toEqual({ code: 4010, reason: "space_not_found: the space was deleted" });
    expect((await listDurableObjectIds(RELAYS)).length).toBe(1);
  });
});

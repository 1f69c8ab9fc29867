import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { connectShard } from "../../src/objects/connect.ts";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom } from "../../src/platform/workers.ts";
import { isRefusal, type Refusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import type { ServerFrame } from "../../src/protocol/wire/frames.ts";
import { eventPayload } from "../../src/protocol/wire/watch-frames.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";

const objects = env as unknown as WarpShardEnv;
const { SHARDS } = objects;
let spaces = 0;

function reply<T extends object>(answer: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.refused.code}`);
  return answer as Exclude<T, Refusal>;
}

const until = (fine: () => boolean) => vi.waitUntil(fine, { timeout: 10_000, interval: 10 });
const opId = () => scopeOpId("test", uuidv7(workersClock, workersRandom));

/** A space of one shard, with a socket that watches. */
async function begin() {
  const space = `watch-${spaces++}`;
  const stub = () => SHARDS.get(SHARDS.idFromName(shardName(space, 0)));
  const made = reply(await stub().createSpace(space, {}));
  const scope = { space, shard: 0, spaceId: made.space.id, registrations: 0 };
  const caller = { space, shard: 0, subject: "test", invalidates: false, locks: false, isAdmin: false };
  const { webSocket } = await connectShard(objects, caller);
  if (webSocket === null) throw new Error("no socket");
  const frames: ServerFrame[] = [];
  webSocket.addEventListener("message", ({ data }) => {
    const frame = decodeServerFrame(String(data));
    if (frame !== undefined) frames.push(frame);
  });
  webSocket.accept();
  webSocket.send(encodeFrame({ t: "hello", v: 1, node: "node-of-a-test", follow: false }));
  const set = async (key: string, bytes: Uint8Array) =>
    reply(
      await stub().mutate({
        ...scope,
        mutations: [
          { kind: "set", opId: opId(), key, payload: { bytes, contentType: "application/octet-stream" } },
        ],
      }),
    );
  return { stub, scope, frames, socket: webSocket, set };
}

const events = (frames: readonly ServerFrame[]) =>
  frames.flatMap((frame) => (frame.t === "we" ? frame.es : []));

describe("watches of a shard's object", () => {
  it("WA8 outlive a hibernation, in the attachment and beyond it; bytes come unchanged", async () => {
    const { stub, frames, socket, set } = await begin();
    // Each needs two bytes for each character in the attachment.
    const keys = Array.from({ length: 40 }, (_, at) => `${at}${"\u{1f600}".repeat(100)}`);
    for (const [id, key] of keys.entries()) {
      socket.send(encodeFrame({ t: "sub", id, key, mode: "all", from: "now" }));
    }
    await until(() => frames.filter(({ t }) => t === "on").length === keys.length);
    const stored = await runInDurableObject(stub(), (_: WarpShard, state) => {
      return state.storage.sql.exec("SELECT session FROM subscriptions").toArray().length;
    });
    expect(stored).toBe(1);
    await evictDurableObject(stub());
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    for (const key of keys) await set(key, bytes);
    await until(() => new Set(events(frames).map(([, , key]) => key)).size === keys.length);
    for (const event of events(frames)) {
      expect(eventPayload(event)).toEqual({ bytes, contentType: "application/octet-stream" });
    }
    for (let id = 1; id < keys.length; id++) socket.send(encodeFrame({ t: "unsub", id }));
    await evictDurableObject(stub());
    await set(keys[0] ?? "", new Uint8Array([1]));
    await set(keys[1] ?? "", new Uint8Array([2]));
    await until(() => events(frames).some(([, , , , , value]) => value === "AQ=="));
    expect(events(frames).some(([, , , , , value]) => value === "Ag==")).toBe(false);
  });

  it("WB-01 publications over RPC reach who watches", async () => {
    const { stub, scope, frames, socket } = await begin();
    socket.send(encodeFrame({ t: "sub", id: 1, prefix: "p", mode: "all", from: "now" }));
    await until(() => frames.some(({ t }) => t === "on"));
    const payload = { bytes: new Uint8Array([0, 10, 255]), contentType: "a/b" };
    for (const retained of [true, false]) {
      reply(await stub().publish({ ...scope, opId: opId(), target: { key: "p1" }, payload, retained }));
    }
    await until(() => frames.some(({ t }) => t === "msg"));
    expect(events(frames)).toEqual([[1, "publish", "p1", 0, "a/b", "AAr/"]]);
    expect(frames.at(-1)).toEqual({ t: "msg", es: [["publish", "p1", "a/b", "AAr/"]] });
  });
});

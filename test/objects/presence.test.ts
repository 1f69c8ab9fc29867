import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { connectShard } from "../../src/objects/connect.ts";
import type { WarpRelay } from "../../src/objects/warp-relay.ts";
import type { WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { relayHeader, relayName } from "../../src/protocol/relay.ts";
import { shardName } from "../../src/protocol/space.ts";
import { type Caller, callerHeader, formatCaller } from "../../src/protocol/wire/caller.ts";
import { type FrameCodec, jsonFrames } from "../../src/protocol/wire/frame-codec.ts";
import type { ClientFrame, ServerFrame } from "../../src/protocol/wire/frames.ts";
import { msgpackCodec } from "../../src/protocol/wire/msgpack/msgpack-codec.ts";

const objects = env as unknown as WarpShardEnv;
const { RELAYS } = env as unknown as { readonly RELAYS: DurableObjectNamespace<WarpRelay> };

/** Opens a socket at a relay, as a Worker does where its shard says so. */
function connectRelay(at: number, caller: Caller): Promise<Response> {
  const stub = relay(caller.space, at);
  const headers = { Upgrade: "websocket", [callerHeader]: formatCaller(caller), [relayHeader]: String(at) };
  return stub.fetch("https://relay/connect", { headers });
}

const relay = (space: string, at: number) => RELAYS.get(RELAYS.idFromName(relayName(space, 0, at)));

/** A socket that watches `room` and is told who is there. */
async function join(space: string, codec: FrameCodec, at?: number) {
  const caller = {
    space,
    shard: 0,
    subject: "test",
    follows: false,
    invalidates: false,
    locks: false,
    isAdmin: false,
  };
  const coded = codec === jsonFrames ? caller : { ...caller, codec: "msgpack" as const };
  const response = at === undefined ? await connectShard(objects, coded) : await connectRelay(at, coded);
  const { webSocket } = response;
  if (webSocket === null) throw new Error("no socket");
  expect(response.headers.get("Sec-WebSocket-Protocol")).toBe(codec.protocol);
  const frames: ServerFrame[] = [];
  const kinds = new Set<string>();
  webSocket.addEventListener("message", ({ data }) => {
    kinds.add(typeof data);
    const frame = codec.decode(typeof data === "string" ? data : new Uint8Array(data));
    if (frame !== undefined) frames.push(frame);
  });
  webSocket.binaryType = "arraybuffer";
  webSocket.accept();
  const say = (frame: ClientFrame): void => webSocket.send(codec.encode(frame));
  say({ t: "hello", v: 1, node: "node-of-a-test", follow: false });
  say({ t: "sub", id: 1, key: "room", mode: "all", from: "now", presence: true });
  const there = (): unknown[] => {
    const members = new Map<string, unknown>();
    for (const frame of frames) {
      if (frame.t !== "pres") continue;
      if (frame.all) members.clear();
      for (const [member, data] of frame.es) {
        if (data === null) members.delete(member);
        else members.set(member, data);
      }
    }
    return [...members.values()].sort();
  };
  return { webSocket, frames, kinds, say, there };
}

const until = (fine: () => boolean) => vi.waitUntil(fine, { timeout: 10_000, interval: 10 });

describe("WA11 who is there, at a shard's object", () => {
  it("WA8 is known again after hibernations; the end of a socket that wakes the object is a leave", async () => {
    const space = "presence-1";
    const stub = objects.SHARDS.get(objects.SHARDS.idFromName(shardName(space, 0)));
    await stub.createSpace(space, {});
    const [json, packed] = [await join(space, jsonFrames), await join(space, msgpackCodec)];
    json.say({ t: "here", id: 1, data: "by JSON" });
    packed.say({ t: "here", id: 1, data: "by MessagePack" });
    const both = ["by JSON", "by MessagePack"];
    await until(() => json.there().length === 2 && packed.there().length === 2);
    expect([json.there(), packed.there()]).toEqual([both, both]);
    await evictDurableObject(stub);
    packed.say({ t: "here", id: 1, data: "by MessagePack still" });
    await until(() => json.there().includes("by MessagePack still"));
    const late = await join(space, jsonFrames);
    await until(() => late.there().length === 2);
    await evictDurableObject(stub);
    json.webSocket.close(1000, "");
    await until(() => late.there().length === 1);
    expect([late.there(), packed.there()]).toEqual([["by MessagePack still"], ["by MessagePack still"]]);
    expect([...packed.kinds]).toEqual(["object"]);
  });

  it("is one and the same for a shard and its relays, whichever of them sleep", async () => {
    const space = "presence-2";
    const stub = objects.SHARDS.get(objects.SHARDS.idFromName(shardName(space, 0)));
    await stub.createSpace(space, {});
    const all = [
      await join(space, jsonFrames),
      await join(space, msgpackCodec, 0),
      await join(space, jsonFrames, 1),
    ];
    for (const [at, { say }] of all.entries()) say({ t: "here", id: 1, data: { at, text: "\u0000é" } });
    const told = (wanted: number) => until(() => all.every(({ there }) => there().length === wanted));
    await told(3);
    for (const object of [stub, relay(space, 0), relay(space, 1)]) await evictDurableObject(object);
    all[1]?.say({ t: "here", id: 1, data: null });
    await told(2);
    await evictDurableObject(stub);
    await evictDurableObject(relay(space, 0));
    const late = await join(space, msgpackCodec, 0);
    await until(() => late.there().length === 2);
    await evictDurableObject(relay(space, 1));
    all[2]?.webSocket.close(1000, "");
    await until(() => [late, all[0], all[1]].every((one) => one?.there().length === 1));
    expect(late.there()).toEqual([{ at: 0, text: "\u0000é" }]);
  });
});

import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { connectShard } from "../../src/objects/connect.ts";
import type { WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { shardName } from "../../src/protocol/space.ts";
import { type FrameCodec, jsonFrames } from "../../src/protocol/wire/frame-codec.ts";
import type { ClientFrame, ServerFrame } from "../../src/protocol/wire/frames.ts";
import { msgpackCodec } from "../../src/protocol/wire/msgpack/msgpack-codec.ts";

const objects = env as unknown as WarpShardEnv;

/** A socket that watches `room` and is told who is there. */
async function join(space: string, codec: FrameCodec) {
  const caller = { space, shard: 0, subject: "test", invalidates: false, locks: false, isAdmin: false };
  const coded = codec === jsonFrames ? caller : { ...caller, codec: "msgpack" as const };
  const response = await connectShard(objects, coded);
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
});

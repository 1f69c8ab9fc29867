import { describe, expect, it } from "vitest";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { type Mutation, scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { failure, okay } from "../contract/adapter-bed.ts";
import { FakeSpace, refusal } from "./fake-space.ts";

function make(shards?: number): {
  readonly space: FakeSpace;
  readonly client: SpaceClient;
  readonly setting: (key: string, bytes?: Uint8Array) => Mutation;
} {
  const space = new FakeSpace();
  if (shards !== undefined) space.found({ shards });
  const client = new SpaceClient({ connection: space.connection(), timers: space.time });
  const setting = (key: string, bytes: Uint8Array = utf8(key)): Mutation => {
    const opId = scopeOpId("test", uuidv7(space.time, space.random));
    return { kind: "set", opId, key, payload: { bytes, contentType: "text/plain" } };
  };
  return { space, client, setting };
}

/** One key for each of `shards` shards, in their order. */
function keysOf(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let i = 0; ; i++) if (shardOf(`k${i}`, shards) === shard) return `k${i}`;
  });
}

describe("space client", () => {
  it("learns the space once and says on every call what it takes it to be", async () => {
    const { space, client, setting } = make(1);
    await client.mutate([setting("a")]);
    await client.read(["a"]);
    expect(space.sent).toEqual(["getSpace@0", "mutate@0", "read@0"]);
    expect(space.scopes).toMatchObject([
      { space: "test", shard: 0, spaceId: "life-1", registrations: 0 },
      { space: "test", shard: 0, spaceId: "life-1", registrations: 0 },
    ]);
  });

  it("a mutation makes an unknown space, a read does not", async () => {
    const { space, client, setting } = make();
    expect(await failure(client.read(["a"]))).toMatchObject({ code: "space_not_found", outcome: "fail" });
    expect(await client.space()).toBeUndefined();
    expect(space.settings).toBeUndefined();
    const [answer] = await client.mutate([setting("a")]);
    expect(okay(answer?.[0].answer)).toMatchObject({ existed: false });
    expect(space.settings).toMatchObject({ shards: 1 });
    expect(await client.space()).toEqual(space.settings);
  });

  it("asks each shard for its own keys and puts the answers in order", async () => {
    const { space, client, setting } = make(4);
    const keys = Array.from({ length: 40 }, (_, i) => `key${i}`);
    const answers = await client.mutate(keys.map((key) => setting(key)));
    for (const [i, [{ asOf }]] of answers.entries()) expect(asOf.shard).toBe(shardOf(keys[i] ?? "", 4));
    expect(space.sent.filter((call) => call.startsWith("mutate"))).toHaveLength(4);
    const read = await client.read([...keys, "absent"]);
    expect(read.map(({ answer }) => answer?.key)).toEqual([...keys, undefined]);
    for (const [i, { asOf }] of read.slice(0, 40).entries())
      expect(asOf.shard).toBe(shardOf(keys[i] ?? "", 4));
  });

  it("sends a prefix to every shard and gives every shard's answer", async () => {
    const { client, setting } = make(3);
    const opId = setting("x").opId;
    const [first, second] = await client.mutate([
      { kind: "invalidatePrefix", opId, prefix: "p" },
      setting("a"),
    ]);
    expect(first?.map(({ asOf }) => asOf.shard)).toEqual([0, 1, 2]);
    expect(second).toHaveLength(1);
  });

  it("asks again for what did not fit into a read's answer", async () => {
    const { space, client, setting } = make(1);
    await client.mutate(["a", "b", "c"].map((key) => setting(key)));
    const entries = space.storage(0).read(["a"]);
    const { epoch, revision } = space.storage(0).position;
    // The fake's refusal slot carries any reply: here one that stops after the first key.
    space.next("read@0", { epoch, asOf: revision, registrations: 0, entries } as never);
    const read = await client.read(["a", "b", "c"]);
    expect(read.map(({ answer }) => answer?.key)).toEqual(["a", "b", "c"]);
    expect(space.sent.filter((call) => call === "read@0")).toHaveLength(2);
  });

  it("takes the space anew when a shard says that it is another, also with other shards", async () => {
    const { space, client, setting } = make(1);
    await client.mutate([setting("a")]);
    space.found({ shards: 3 });
    expect(client.shards).toBe(1);
    expect((await client.read(["a"]))[0]?.answer).toBeUndefined();
    expect(client.shards).toBe(3);
    space.found({ shards: 2 });
    const [answer] = await client.mutate([setting("b")]);
    expect(answer?.[0].asOf.shard).toBe(shardOf("b", 2));
  });

  it("gives up, with nothing done, when the space is another again and again", async () => {
    const { space, client, setting } = make(1);
    for (let i = 0; i < 2; i++) space.next("mutate@0", refusal("unavailable", true));
    expect(await failure(client.mutate([setting("a")]))).toMatchObject({
      code: "unavailable",
      outcome: "fail",
      retryable: true,
    });
  });

  it("a space that was deleted meanwhile is made again by a mutation, and missed by a read", async () => {
    const { space, client, setting } = make(1);
    await client.mutate([setting("a")]);
    space.settings = undefined;
    expect(await failure(client.read(["a"]))).toMatchObject({ code: "space_not_found" });
    await client.mutate([setting("a")]);
    expect(space.settings).toMatchObject({ id: "life-2" });
  });

  it("repeats a read once when a shard can't be reached", async () => {
    const { space, client, setting } = make(1);
    await client.mutate([setting("a")]);
    space.next("read@0", "lost");
    expect((await client.read(["a"]))[0]?.answer?.key).toBe("a");
    space.next("read@0", "lost");
    space.next("read@0", "lost");
    expect(await failure(client.read(["a"]))).toMatchObject({ code: "unavailable", outcome: "fail" });
  });

  it("OU1 never repeats a mutation by itself: its fate is unknown, and its op id finds it out", async () => {
    const { space, client, setting } = make(1);
    await client.mutate([setting("before")]);
    const mutation = setting("a");
    space.next("mutate@0", "answer lost");
    expect(await failure(client.mutate([mutation]))).toMatchObject({
      code: "unavailable",
      outcome: "unknown",
    });
    expect(space.sent.filter((call) => call === "mutate@0")).toHaveLength(2);
    const [answer] = await client.mutate([mutation]);
    expect(answer?.[0].answer).toMatchObject({ outcome: "ok", replayed: true });
  });

  it("OU1 a shard's refusal is definite, unless another shard has acted", async () => {
    const { space, client, setting } = make(2);
    const [zero = "", one = ""] = keysOf(2);
    space.next("mutate@1", refusal("overloaded"));
    expect(await failure(client.mutate([setting(one)]))).toMatchObject({
      code: "overloaded",
      outcome: "fail",
    });
    space.next("mutate@1", refusal("overloaded"));
    const both = [setting(zero), setting(one)];
    expect(await failure(client.mutate(both))).toMatchObject({ code: "overloaded", outcome: "unknown" });
    const again = await client.mutate(both);
    expect(again.map(([{ answer }]) => answer.outcome)).toEqual(["ok", "ok"]);
  });

  it("OU1 the deadline leaves a mutation that was sent unknown, everything else undone", async () => {
    const { space, client, setting } = make(1);
    space.next("getSpace@0", "hangs");
    const early = failure(client.mutate([setting("a")], { timeoutMs: 500 }));
    space.time.advance(500);
    expect(await early).toMatchObject({ code: "deadline_exceeded", outcome: "fail" });

    await client.mutate([setting("b")]);
    space.next("mutate@0", "hangs");
    const late = failure(client.mutate([setting("c")]));
    await Promise.resolve();
    space.time.advance(9_999);
    space.time.advance(1);
    expect(await late).toMatchObject({ code: "deadline_exceeded", outcome: "unknown", retryable: true });

    space.next("read@0", "hangs");
    const read = failure(client.read(["a"], { timeoutMs: 1 }));
    space.time.advance(1);
    expect(await read).toMatchObject({ code: "deadline_exceeded", outcome: "fail" });
    expect(space.time.pending).toBe(0);
  });

  it("an abort ends the wait at once, and nothing more is sent for it", async () => {
    const { space, client, setting } = make(1);
    await client.mutate([setting("a")]);
    const controller = new AbortController();
    space.next("mutate@0", "hangs");
    const mutation = failure(client.mutate([setting("b")], { signal: controller.signal }));
    await Promise.resolve();
    controller.abort(new Error("enough"));
    expect(await mutation).toMatchObject({ code: "aborted", outcome: "unknown", cause: new Error("enough") });

    const other = new AbortController();
    space.next("read@0", "lost");
    const sent = space.sent.length;
    const read = failure(client.read(["a"], { signal: other.signal }));
    other.abort();
    expect(await read).toMatchObject({ code: "aborted", outcome: "fail" });
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(space.sent.length - sent).toBe(1);
    expect(space.time.pending).toBe(0);
  });

  it("refuses more bytes for one shard than one call can carry, before anything is done", async () => {
    const { space, client, setting } = make(2);
    const [zero = "", one = ""] = keysOf(2);
    const large = new Uint8Array(1_000_000);
    const batch = [setting(zero), ...Array.from({ length: 17 }, () => setting(one, large))];
    expect(await failure(client.mutate(batch))).toMatchObject({
      code: "batch_too_large",
      outcome: "fail",
      details: { bytes: 17_000_000, max: 16_777_216 },
    });
    expect(space.sent).toEqual(["getSpace@0"]);
  });

  it("a position in a shard that the space no longer has is a gap", async () => {
    const { client } = make(2);
    const answer = await client.changes({ shard: 5, epoch: "0123456789abcdef", revision: 3 });
    expect(answer).toMatchObject({ gap: "epoch", changes: [], to: { shard: 5, revision: 0 } });
  });

  it("lists with values fetch only the values of their page; what went meanwhile is left out", async () => {
    const { space, client, setting } = make(3);
    const keys = Array.from({ length: 12 }, (_, i) => `k${String(i).padStart(2, "0")}`);
    await client.mutate(keys.map((key) => setting(key)));
    space.sent.length = 0;
    const page = await client.list({ prefix: "", after: undefined, limit: 5, values: true });
    expect(page.items.map((item) => new TextDecoder().decode(item.payload?.bytes))).toEqual(keys.slice(0, 5));
    expect(page.next).toBe("k04");
    expect(page.asOf.map(({ shard }) => shard)).toEqual([0, 1, 2]);
    expect(new Set(space.sent.map((call) => call.split("@")[0]))).toEqual(new Set(["list", "read"]));
  });

  it("CO10 closes its connection once", async () => {
    const { space, client } = make(1);
    await client.close();
    await client.close();
    expect(space.closed).toBe(1);
    expect(await failure(client.read(["a"]))).toMatchObject({ code: "warp_closed" });
  });
});

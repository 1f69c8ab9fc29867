import { describe, expect, it } from "vitest";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { joinResolutions } from "../../src/connection/space-writes.ts";
import { WarpError } from "../../src/errors.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { type Mutation, type Resolution, scopeOpId } from "../../src/protocol/shard-api.ts";
import type { Transaction } from "../../src/protocol/transaction.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { failure, okay } from "../contract/adapter-bed.ts";
import { FakeSpace, refusal } from "./fake-space.ts";

const payload = { bytes: utf8("x"), contentType: "text/plain" };
const set = (key: string) => ({ kind: "set", key, payload }) as const;

function make(shards?: number) {
  const space = new FakeSpace();
  if (shards !== undefined) space.found({ shards });
  const client = new SpaceClient({ connection: space.connection(), timers: space.time });
  const opId = () => scopeOpId("test", uuidv7(space.time, space.random));
  const transaction = (parts: Partial<Transaction>): Transaction => {
    return { opId: opId(), compare: [], success: [], failure: [], ...parts };
  };
  return { space, client, opId, transaction };
}

/** A key of each shard, in their order. */
function keysOf(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let i = 0; ; i++) if (shardOf(`k${i}`, shards) === shard) return `k${i}`;
  });
}

describe("transactions over the shards of a space", () => {
  it("TX4 goes to the one shard of its keys", async () => {
    const { space, client, transaction } = make(4);
    const success = [set("{t}1"), set("{t}2"), { kind: "get", key: "{t}1" } as const];
    const told = await client.transact(transaction({ compare: [{ key: "{t}", exists: false }], success }));
    const shard = shardOf("{t}", 4);
    expect(space.sent).toEqual(["getSpace@0", `transact@${shard}`]);
    expect(told).toMatchObject({ answer: { outcome: "ok", revision: 1 }, asOf: { shard, revision: 1 } });
  });

  it("TX4 TX5 keys of several shards, wherever they stand, and all that is malformed are refused before anything is sent", async () => {
    const { space, client, transaction } = make(4);
    await client.space();
    const sent = space.sent.length;
    const [a = "", b = ""] = keysOf(4);
    const cases: readonly [Partial<Transaction>, string][] = [
      [{ success: [set(a), set(b)] }, "cross_shard"],
      [{ success: [set(a)], failure: [set(b)] }, "cross_shard"],
      [{ success: [set(a), { kind: "get", key: b }] }, "cross_shard"],
      [{ success: [set(a)], compare: [{ key: b, exists: true }] }, "cross_shard"],
      [{ success: [set(a), set(a)] }, "duplicate_key"],
      [{ success: Array.from({ length: 129 }, (_, i) => set(`{t}${i}`)) }, "batch_too_large"],
      [{ compare: [{ key: "", exists: true }] }, "invalid_key"],
    ];
    for (const [parts, code] of cases) {
      expect(await failure(client.transact(transaction(parts)))).toMatchObject({ code, outcome: "fail" });
    }
    expect(space.sent).toHaveLength(sent);
  });

  it("OU1 one whose answer is lost is not repeated by itself: its outcome is unknown, and resolve tells it", async () => {
    const { space, client, transaction } = make(2);
    const one = transaction({ success: [set("a")] });
    const shard = shardOf("a", 2);
    space.next(`transact@${shard}`, "answer lost");
    expect(await failure(client.transact(one))).toMatchObject({ code: "unavailable", outcome: "unknown" });
    expect(await client.resolve([{ opId: one.opId, key: "a" }])).toMatchObject([
      { state: "ok", revision: 1 },
    ]);
    expect(await client.transact(one)).toMatchObject({ answer: { outcome: "ok", replayed: true } });
    expect(space.sent.filter((call) => call.startsWith("transact"))).toHaveLength(2);
  });

  it("a stale picture of the space is fetched anew, and the transaction asked for once more", async () => {
    const { space, client, transaction } = make(4);
    await client.space();
    space.found({ shards: 1 });
    const [a = "", b = ""] = keysOf(4);
    // Of the present life they are of one shard, but what the client knows decides.
    expect((await failure(client.transact(transaction({ success: [set(a), set(b)] })))).code).toBe(
      "cross_shard",
    );
    expect(await client.transact(transaction({ success: [set(a)] }))).toMatchObject({ asOf: { shard: 0 } });
    expect(await client.transact(transaction({ success: [set(a), set(b)] }))).toMatchObject({
      answer: { outcome: "ok" },
    });
  });
});

describe("resolve over the shards of a space", () => {
  it("OU3 asks the shard of a key alone, and all shards about a prefix or a tag", async () => {
    const { space, client, opId } = make(3);
    const [a = "", b = ""] = keysOf(3);
    const [set1, many] = [opId(), opId()];
    await client.mutate([
      { ...set(a), opId: set1 },
      { kind: "invalidatePrefix", opId: many, prefix: "" },
    ]);
    space.sent.length = 0;
    const told = await client.resolve([{ opId: set1, key: a }, { opId: opId(), key: b }, { opId: many }]);
    expect(told.map(({ state }) => state)).toEqual(["ok", "unseen", "ok"]);
    expect(space.sent.sort()).toEqual(["resolve@0", "resolve@1", "resolve@2"]);
  });

  it("OU3 an invalidation that one shard has not done is not done; sealed, its copies are refused there", async () => {
    const { space, client, opId } = make(2);
    const mutation: Mutation = { kind: "invalidateTag", opId: opId(), tag: "t" };
    space.next("mutate@1", "lost");
    expect((await failure(client.mutate([mutation]))).outcome).toBe("unknown");
    const ask = [{ opId: mutation.opId }];
    expect(await client.resolve(ask)).toEqual([{ state: "unseen" }]);
    expect(await client.resolve(ask, { seal: true })).toEqual([{ state: "sealed" }]);
    const [parts = []] = await client.mutate([mutation]);
    expect(okay(parts[0]?.answer).replayed).toBe(true);
    expect(parts[1]?.answer).toMatchObject({ outcome: "fail", error: { code: "op_sealed" } });
  });

  it("OU3 to seal makes an unknown space, so that the late copy finds it sealed; to look does not", async () => {
    const { space, client, opId } = make();
    const one = { opId: opId(), key: "a" };
    expect((await failure(client.resolve([one]))).code).toBe("space_not_found");
    expect(space.settings).toBeUndefined();
    expect(await client.resolve([one], { seal: true })).toEqual([{ state: "sealed" }]);
    const [parts] = await client.mutate([{ ...set("a"), opId: one.opId }]);
    expect(parts?.[0].answer).toMatchObject({ error: { code: "op_sealed" } });
  });

  it("OU1 a look is repeated where a shard is out of reach, a seal is not", async () => {
    const { space, client, opId } = make(1);
    const one = { opId: opId(), key: "a" };
    space.next("resolve@0", "lost");
    expect(await client.resolve([one])).toEqual([{ state: "unseen" }]);
    space.next("resolve@0", "answer lost");
    expect(await failure(client.resolve([one], { seal: true }))).toMatchObject({ outcome: "unknown" });
    expect(await client.resolve([one])).toEqual([{ state: "sealed" }]);
    space.next("resolve@0", refusal("overloaded"));
    expect((await failure(client.resolve([one]))).code).toBe("overloaded");
  });

  it("OU3 what shards say of one operation is put together", () => {
    const ok: Resolution = { state: "ok", version: 3, revision: 3 };
    const part: Resolution = { state: "ok", version: 0, revision: 3, part: true };
    const fail: Resolution = { state: "fail", error: new WarpError("unregistered", "no").toData() };
    const [pending, unseen, sealed] = (["pending", "unseen", "sealed"] as const).map((state) => ({ state }));
    const cases: readonly [Resolution[], Resolution | undefined][] = [
      [[ok], ok],
      [[unseen as Resolution, ok], ok],
      [[sealed as Resolution, ok, sealed as Resolution], ok],
      [[part, part], part],
      [[part, unseen as Resolution], unseen],
      [[part, sealed as Resolution], sealed],
      [[part, pending as Resolution], pending],
      [[unseen as Resolution, fail], fail],
      [[sealed as Resolution, unseen as Resolution], unseen],
    ];
    for (const [parts, joined] of cases) {
      expect(joinResolutions(parts as [Resolution, ...Resolution[]])).toEqual(joined);
      expect(joinResolutions([...parts].reverse() as [Resolution, ...Resolution[]])).toEqual(joined);
    }
  });
});

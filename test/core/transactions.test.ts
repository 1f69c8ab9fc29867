import { describe, expect, expectTypeOf, it } from "vitest";
import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import type { TransactionResult, TransactionWrite } from "../../src/core/types.ts";
import { isWarpError, WarpError } from "../../src/errors.ts";
import { parseCursor } from "../../src/protocol/position.ts";
import { textCodec } from "../../src/runtime/codec.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";

describe("a transaction", () => {
  it("TX1 takes effect at one revision, all keys with one version; what it did stands in order, typed", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("gone", 1);
    await warp.set("user", { name: "Ada" });
    const done = await warp
      .txn()
      .compare("user", { exists: true })
      .set("a", 1)
      .delete("gone")
      .get<{ name: string }>("user")
      .set("b", "two", { tags: ["t"] })
      .delete("absent")
      .commit();
    if (!done.succeeded) throw new Error("it did not succeed");
    const [a, gone, user, b, absent] = done.results;
    expectTypeOf(a).toEqualTypeOf<TransactionWrite>();
    expectTypeOf(user.value).toEqualTypeOf<{ name: string } | undefined>();
    expect(user.value).toEqual({ name: "Ada" });
    expect(a).toEqual({
      op: "set",
      key: "a",
      version: done.version,
      etag: expect.any(String),
      existed: false,
    });
    expect(gone).toEqual({ op: "delete", key: "gone", version: 0, etag: undefined, existed: true });
    expect(b.version).toBe(done.version);
    expect(absent.existed).toBe(false);
    expect(done.replayed).toBe(false);
    expect(done.cursor.split(".")).toEqual([expect.any(String), String(done.version)]);
    const list = await warp.list({});
    expect(list.items.map(({ key, version }) => [key, version === done.version])).toEqual([
      ["a", true],
      ["b", true],
      ["user", false],
    ]);
  });

  it("TX1 otherwise() is what is done if a comparison does not hold, and only that", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("stock", 3);
    const done = await warp
      .txn()
      .compare("stock", { value: 4 })
      .set("sold", true)
      .otherwise()
      .get<number>("stock")
      .set("refused", true)
      .commit();
    expect(done.succeeded).toBe(false);
    if (done.succeeded) return;
    expect(done.results[0].value).toBe(3);
    expect(await warp.get("sold")).toBeUndefined();
    expect(await warp.get("refused")).toBe(true);
  });

  it("TX1 without otherwise() nothing is done: the answer says so, orFail makes it an error", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const before = await warp.set("k", 1);
    const transaction = warp.txn().compare("k", { exists: false }).set("k", 2).set("other", 2);
    const done = await transaction.commit();
    expect(done).toMatchObject({ succeeded: false, version: 0, results: [] });
    const error = await transaction.commit({ orFail: true }).catch((caught: unknown) => caught);
    expect(isWarpError(error, "precondition_failed") && error.outcome).toBe("fail");
    expect((await warp.lookup("k")).version).toBe(before.version);
    expect(await warp.get("other")).toBeUndefined();
    expectTypeOf(await warp.txn().set("z", 1).commit({ orFail: true }))
      .toHaveProperty("succeeded")
      .toEqualTypeOf<true>();
  });

  it("TX2 is judged by what is stored, not by this node's copies, and makes the node see what it was judged by", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    const other = bed.node().warp;
    await warp.set("k", "old");
    await other.set("k", "new");
    // Within its staleness bound the copy is served.
    expect(await warp.get("k")).toBe("old");
    expect((await warp.txn().compare("k", { value: "old" }).set("k", "mine").commit()).succeeded).toBe(false);
    const { counts } = adapter;
    expect(await warp.get("k"), [...counts].join()).toBe("new");
    expect((await warp.txn().compare("k", { value: "new" }).set("k", "mine").commit()).succeeded).toBe(true);
    expect(await warp.get("k")).toBe("mine");
  });

  it.each([
    ["version equal", { version: 2 }, true],
    ["version not equal", { version: 2, is: "notEqual" }, false],
    ["version less", { version: 3, is: "less" }, true],
    ["version greater", { version: 2, is: "greater" }, false],
    ["exists", { exists: true }, true],
    ["a value", { value: "v" }, true],
    ["another value", { value: "w" }, false],
    ["tags", { when: { noneOf: "*" } }, false],
  ] as const)("TX2 compares by %s", async (_, comparand, holds) => {
    const { warp } = coreBed().node();
    await warp.set("before", 0);
    expect((await warp.set("k", "v")).version).toBe(2);
    expect((await warp.txn().compare("k", comparand).commit()).succeeded).toBe(holds);
    expect((await warp.txn().compare("none", { version: 0 }).commit()).succeeded).toBe(true);
  });

  it("a condition of an operation's own refuses the whole with precondition_failed", async () => {
    const { warp } = coreBed().node();
    const { version } = await warp.set("k", 1);
    const refused = warp
      .txn()
      .set("other", 1)
      .set("k", 2, { ifVersion: version + 1 });
    expect(await codeOf(refused.commit())).toBe("precondition_failed");
    expect(await codeOf(warp.txn().set("other", 1).delete("k", { ifVersion: 0 }).commit())).toBe(
      "precondition_failed",
    );
    expect(await warp.get("other")).toBeUndefined();
    const done = await warp.txn().set("other", 1).set("k", 2, { ifVersion: version }).commit();
    expect(done.succeeded).toBe(true);
  });

  it("TX5 what is malformed is refused before anything is sent", async () => {
    const { warp, adapter } = coreBed().node();
    const many = warp.txn();
    for (let i = 0; i < 129; i++) many.set(`k${i}`, i);
    expect(await codeOf(many.commit())).toBe("batch_too_large");
    const comparing = warp.txn();
    for (let i = 0; i < 129; i++) comparing.compare(`k${i}`, { exists: false });
    expect(await codeOf(comparing.commit())).toBe("batch_too_large");
    expect(await codeOf(warp.txn().set("k", 1).delete("k").commit())).toBe("duplicate_key");
    // A branch each is no duplicate.
    await warp.txn().compare("x", { exists: true }).set("k", 1).otherwise().set("k", 2).commit();
    expect(await codeOf(warp.txn().set("k", 1).commit({ opId: "x" }))).toBe("invalid_op_id");
    expect(await codeOf(warp.txn().set("k", 1).commit({ timeoutMs: 0 }))).toBe("invalid_argument");
    expect(adapter.count("transact")).toBe(1);
    expect(await warp.get("k")).toBe(2);
  });

  it("OU4 what is wrong with a part is thrown when it is added", () => {
    const { warp } = coreBed().node();
    const thrown = (work: () => unknown): string => {
      try {
        work();
      } catch (error) {
        return isWarpError(error) ? error.code : String(error);
      }
      return "nothing";
    };
    expect(thrown(() => warp.txn().set("", 1))).toBe("invalid_key");
    expect(thrown(() => warp.txn().get("x".repeat(513)))).toBe("invalid_key");
    expect(thrown(() => warp.txn().set("k", undefined))).toBe("encode_failed");
    expect(thrown(() => warp.txn().set("k", 1, { expiresInMs: 0 }))).toBe("invalid_ttl");
    expect(thrown(() => warp.txn().set("k", 1, { tags: [""] }))).toBe("invalid_argument");
    expect(thrown(() => warp.txn().delete("k", { ifVersion: -1 }))).toBe("invalid_version");
    expect(thrown(() => warp.txn().merge("k", 1, { ifVersion: 1, when: { noneOf: "*" } }))).toBe(
      "invalid_argument",
    );
    expect(thrown(() => warp.txn().compare("k", { version: 1.5 }))).toBe("invalid_version");
    expect(thrown(() => warp.txn().compare("k", { version: 1, exists: true } as never))).toBe(
      "invalid_argument",
    );
    expect(thrown(() => warp.txn().compare("k", {} as never))).toBe("invalid_argument");
    expect(thrown(() => warp.txn().otherwise().compare("k", { exists: true }))).toBe("invalid_argument");
    expect(thrown(() => warp.txn().otherwise().otherwise())).toBe("invalid_argument");
  });

  it("OU4 orFail does not go with otherwise()", async () => {
    const { warp } = coreBed().node();
    expect(await codeOf(warp.txn().otherwise().set("k", 1).commit({ orFail: true }))).toBe(
      "invalid_argument",
    );
  });

  it("TX6 another node learns of all its keys in one answer of the log, at one revision", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const { version, cursor } = await warp.set("first", 0);
    await warp.txn().set("a", 1).set("b", 2).delete("first").commit();
    const position = { shard: 0, ...parseCursor(cursor) };
    const { changes } = await bed.node().adapter.changes(position);
    expect(changes.map(({ revision, kind, key }) => [revision, kind, key])).toEqual([
      [version + 1, "set", "a"],
      [version + 1, "set", "b"],
      [version + 1, "delete", "first"],
    ]);
  });

  it("X-04 one unregistered key in a strict space: no key is changed anywhere, and nothing is sent", async () => {
    const bed = coreBed({ strict: true });
    const { warp, adapter } = bed.node();
    await warp.register("user:*");
    await warp.set("user:1", "before");
    for (const transaction of [
      warp.txn().set("user:1", "after").set("other", 1),
      warp.txn().compare("other", { exists: false }).set("user:1", "after"),
      warp.txn().compare("user:1", { exists: true }).set("user:1", "after").otherwise().get("other"),
    ]) {
      expect(await codeOf(transaction.commit())).toBe("unregistered");
    }
    expect(adapter.count("transact")).toBe(0);
    expect(await warp.get("user:1")).toBe("before");
    expect(await bed.node().warp.get("user:1")).toBe("before");
    expect((await warp.list({})).items).toHaveLength(1);
  });

  it("X-04 the storage judges by the newest registrations, whatever the node knows", async () => {
    const bed = coreBed({ strict: true });
    const { warp } = bed.node();
    const other = bed.node().warp;
    await other.register("user:*");
    await other.register("extra");
    await warp.set("user:1", "before");
    await warp.get("extra");
    await other.unregister("extra");
    expect(await codeOf(warp.txn().set("user:1", "after").set("extra", 1).commit())).toBe("unregistered");
    expect(await bed.node().warp.get("user:1")).toBe("before");
    expect(await warp.get("user:1")).toBe("before");
  });

  it("X-07 what a transaction deletes is gone from the storage and from every node", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const other = bed.node().warp;
    await warp.set("k", 1);
    expect(await other.get("k")).toBe(1);
    await warp.txn().delete("k").commit();
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBeUndefined();
    await bed.clock.advance(5_001);
    expect(await other.get("k")).toBeUndefined();
    expect((await warp.list({})).items).toEqual([]);
  });

  it("a value that can't be decoded does not make a done transaction look like a failed one", async () => {
    const { warp } = coreBed().node();
    await warp.set("text", "plain", { codec: textCodec });
    const done = await warp.txn().set("k", 1).get("text").get("text", { codec: textCodec }).commit();
    if (!done.succeeded) throw new Error("it did not succeed");
    expect(() => done.results[1].value).toThrow(WarpError);
    expect(done.results[2].value).toBe("plain");
    expect(await warp.get("k")).toBe(1);
  });

  it("a storage without transactions, or without merge rules, says unsupported", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ adapter: nullAdapter({ clock: bed.clock, random: seeded(3) }) });
    expect(await codeOf(warp.txn().set("k", 1).commit())).toBe("unsupported");
    expect(await codeOf(warp.register("n:*", { merge: "sum" }))).toBe("unsupported");
    expect(await codeOf(warp.register("n:*", { mode: "strong", quorum: 1 }))).toBe("unsupported");
  });

  it("CO10 a closed node has no transactions", async () => {
    const { warp } = coreBed().node();
    const begun = warp.txn().set("k", 1);
    await warp.close();
    expect(await codeOf(begun.commit())).toBe("warp_closed");
    expect(() => warp.txn()).toThrow(/closed/);
    expect(await codeOf(warp.cas("k", undefined, 1))).toBe("warp_closed");
    expect(await codeOf(warp.merge("k", 1))).toBe("warp_closed");
  });
});

describe("compare-and-set", () => {
  it("CORE-16 a transaction that expects another value than the held one fails with precondition_failed", async () => {
    const { warp } = coreBed().node();
    await warp.set("k", "held");
    expect(await codeOf(warp.cas("k", "expected", "new"))).toBe("precondition_failed");
    const failing = warp.txn().compare("k", { value: "expected" }).set("k", "new").commit({ orFail: true });
    expect(await codeOf(failing)).toBe("precondition_failed");
    expect(await warp.get("k")).toBe("held");
  });

  it.each(["local", "eventual", "strong"] as const)(
    "X-05 TX7 of several cas with one expectation exactly one is done, %s mode",
    async (mode) => {
      const bed = coreBed();
      const nodes = Array.from({ length: 4 }, () => bed.node().warp);
      await nodes[0]?.register("k", { mode });
      await nodes[0]?.set("k", 0);
      for (let round = 0; round < 25; round++) {
        const codes = await Promise.all(
          Array.from({ length: 8 }, (_, i) => {
            const node = nodes[i % nodes.length];
            return codeOf(node?.cas("k", round, round + 1) ?? Promise.reject(new Error("no node")));
          }),
        );
        expect(codes.filter((code) => code === "no error")).toHaveLength(1);
        expect(codes.filter((code) => code === "precondition_failed")).toHaveLength(7);
      }
      expect(await bed.node().warp.get("k")).toBe(25);
    },
  );

  it("X-06 a cas with a value that is only in the storage succeeds", async () => {
    const bed = coreBed();
    await bed.node().warp.set("k", { n: 1 });
    const { warp } = bed.node();
    const done = await warp.cas("k", { n: 1 }, { n: 2 });
    expect(done).toMatchObject({ key: "k", existed: true, replayed: false });
    expect(await warp.get("k")).toEqual({ n: 2 });
  });

  it("expecting undefined wants the key absent; the scope's schema checks the new value", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const counters = warp.scope<number>("n:*");
    expect((await counters.cas("1", undefined, 5)).existed).toBe(false);
    expect(await codeOf(counters.cas("1", undefined, 6))).toBe("precondition_failed");
    expect(await counters.get("1")).toBe(5);
    expect((await warp.scope<number>("n:1").cas(5, 6)).key).toBe("n:1");
  });
});

describe("a node after its transaction", () => {
  it("CO4 reads what it wrote from L1, and its own entries of the log cost it nothing", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("gone", 1);
    await warp.txn().set("a", 1).set("b", 2).delete("gone").commit();
    expect([await warp.get("a"), await warp.get("b")]).toEqual([1, 2]);
    expect(warp.peek("a")).toBe(1);
    expect(await warp.get("gone")).toBeUndefined();
    expect(adapter.count("getMany")).toBe(1);
    // The answer was all that happened since the last one, so the log need not be asked within the bound, and an exchange drops nothing.
    await bed.clock.advance(2_000);
    expect((await warp.getEntry("a"))?.cache).toBe("hit");
    expect(adapter.count("changes")).toBe(0);
    await bed.clock.advance(2_600);
    await warp.get("a");
    await bed.clock.advance(1_000);
    expect(adapter.count("changes")).toBeGreaterThan(0);
    expect((await warp.getEntry("a"))?.cache).toBe("hit");
    expect((await warp.getEntry("b"))?.cache).toBe("hit");
  });

  it("SB3 its answer proves the followed position as an exchange would: several keys at one revision are one step", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("other", 1);
    await bed.clock.advance(4_000);
    await warp.txn().set("a", 1).set("b", 2).commit();
    await bed.clock.advance(1_500);
    expect((await warp.getEntry("other"))?.cache).toBe("hit");
    expect(adapter.count("changes")).toBe(0);
  });

  it("CO3 an answer that comes after a newer change by another node leaves the newer one", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("a", 0);
    adapter.hold("transact");
    const mine = warp.txn().set("a", 1).set("b", 1).commit();
    await bed.clock.advance(0);
    const held = adapter.take("transact");
    await held.act();
    await bed.node().warp.set("a", 2);
    await bed.clock.advance(6_000);
    expect(await warp.get("a")).toBe(2);
    await held.answer();
    const done: TransactionResult = await mine;
    expect(done.succeeded).toBe(true);
    expect(await warp.get("a")).toBe(2);
    expect(await warp.get("b")).toBe(1);
  });

  it("CO4 a get of the transaction is never followed by an older value", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("k", "old");
    await bed.node().warp.set("k", "new");
    expect(await warp.get("k")).toBe("old");
    const done = await warp.txn().get<string>("k").commit({ orFail: true });
    expect(done.results[0].value).toBe("new");
    expect(await warp.get("k")).toBe("new");
  });

  it("OU1 an unknown outcome names the op id and drops the copies; repeated with it, the first verdict comes", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("a", 0);
    adapter.hold("transact");
    const transaction = warp.txn().set("a", 1).set("b", 1).otherwise().set("c", 1);
    const lost = transaction.commit().catch((error: unknown) => error);
    await bed.clock.advance(0);
    const held = adapter.take("transact");
    await held.act();
    held.fail(new WarpError("deadline_exceeded", "no answer", { outcome: "unknown" }));
    const error = await lost;
    if (!isWarpError(error)) throw error;
    expect(error.outcome).toBe("unknown");
    const opId = String(error.details?.opId);
    expect(warp.peek("a")).toBeUndefined();
    expect(await warp.get("a")).toBe(1);
    adapter.release("transact");
    const again = await transaction.commit({ opId });
    expect(again).toMatchObject({ succeeded: true, replayed: true, opId });
    expect(await codeOf(warp.txn().set("a", 2).commit({ opId }))).toBe("op_id_reused");
    expect(await warp.get("a")).toBe(1);
  });

  it("tells listeners of each key, and nothing of what was refused", async () => {
    const { warp } = coreBed().node();
    const told: unknown[] = [];
    for (const event of ["set", "delete"] as const) warp.on(event, (facts) => told.push([event, facts.key]));
    await warp.txn().set("a", 1).delete("b").commit();
    await warp.txn().compare("a", { exists: false }).set("c", 1).commit();
    expect(told).toEqual([
      ["set", "a"],
      ["delete", "b"],
    ]);
  });
});

describe("resolve", () => {
  it("OU3 tells what became of a mutation, a part of a batch and a transaction", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const random = seeded(9);
    const ids = Array.from({ length: 4 }, () => uuidv7(bed.clock, random));
    const [set = "", many = "", txn = "", none = ""] = ids;
    const { version } = await warp.set("k", 1, { opId: set });
    await warp.setMany(
      [
        ["m", 1],
        ["n", 1],
      ],
      { opId: many },
    );
    const done = await warp.txn().set("t", 1).commit({ opId: txn });
    await codeOf(warp.set("k", 2, { ifVersion: 99, opId: none }));
    expect(await warp.resolve(set, { key: "k" })).toMatchObject({ state: "ok", version });
    expect(await warp.resolve(many, { index: 1 })).toMatchObject({ state: "ok", version: version + 2 });
    expect(await warp.resolve(many, { index: 2 })).toEqual({ state: "unseen" });
    expect(await warp.resolve(txn)).toMatchObject({ state: "ok", version: done.version });
    expect(await warp.resolve(none)).toMatchObject({ state: "fail", error: { code: "precondition_failed" } });
    expect(await warp.resolve(set, { subject: "another" })).toEqual({ state: "unseen" });
  });

  it("OU3 a sealed op id is refused when it comes late", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    const opId = uuidv7(bed.clock, seeded(9));
    adapter.hold("batch");
    const late = codeOf(warp.set("k", 1, { opId }));
    await bed.clock.advance(0);
    expect(await warp.resolve(opId, { key: "k" })).toEqual({ state: "unseen" });
    expect(await warp.resolve(opId, { key: "k", seal: true })).toEqual({ state: "sealed" });
    await adapter.take("batch").answer();
    expect(await late).toBe("op_sealed");
    expect(await warp.resolve(opId)).toEqual({ state: "sealed" });
    expect(await warp.get("k")).toBeUndefined();
    const txn = uuidv7(bed.clock, seeded(10));
    await warp.resolve(txn, { seal: true });
    expect(await codeOf(warp.txn().set("k", 1).commit({ opId: txn }))).toBe("op_sealed");
  });

  it("CO4 an ok is the reply that was lost: the node reads its own write from then on", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("k", "old");
    const opId = uuidv7(bed.clock, seeded(9));
    adapter.hold("batch");
    const lost = codeOf(warp.set("k", "new", { opId }));
    await bed.clock.advance(0);
    const held = adapter.take("batch");
    held.fail(new WarpError("deadline_exceeded", "no answer", { outcome: "unknown" }));
    expect(await lost).toBe("deadline_exceeded");
    // It has not come through yet: the node may hold the old value again.
    expect(await warp.get("k")).toBe("old");
    await held.act();
    expect(await warp.get("k")).toBe("old");
    expect((await warp.resolve(opId, { key: "k" })).state).toBe("ok");
    expect(await warp.get("k")).toBe("new");
  });

  it("OU4 malformed op ids, keys and places are refused", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ registrations: statics({ "*": {} }) });
    const opId = uuidv7(bed.clock, seeded(9));
    expect(await codeOf(warp.resolve("x"))).toBe("invalid_op_id");
    expect(await codeOf(warp.resolve(opId, { key: "" }))).toBe("invalid_key");
    expect(await codeOf(warp.resolve(opId, { index: 1_000 }))).toBe("invalid_argument");
    await bed.clock.advance(300_001);
    expect(await codeOf(warp.resolve(opId))).toBe("op_id_expired");
  });
});

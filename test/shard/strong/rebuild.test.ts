import { describe, expect, it } from "vitest";
import { host } from "#host";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import { barrierMs, nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { refusedCode, verdictCode } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys, verdictOf, watched } from "../../support/strong-bed.ts";

const guardMs = (barrierMs + nodeLeaseMs) * 1.01;

function withBed(work: (bed: StrongBed) => Promise<void>): () => Promise<void> {
  const statics = [strongKeys("k*"), strongKeys("q*", { quorum: 1 })];
  return () => host.withSql(async (sql) => await work(await new StrongBed(sql, { statics }).create()));
}

/** A bed in which "a" holds k1 = "old". */
async function held(bed: StrongBed): Promise<void> {
  await bed.set("k1", "old").promise;
  await bed.holder("a");
  expect(await bed.hold("a", "k1")).toBe(true);
}

const intents = (bed: StrongBed): number => bed.bed.sql.all("SELECT * FROM intents").length;

describe("an instance that ends while a strong write waits", () => {
  it(
    "ST5 leaves an intent that its successor aborts, durably, before it answers anything",
    withBed(async (bed) => {
      await held(bed);
      const set = bed.setting("k1", "new");
      void bed.mutate([set]);
      await bed.time.settle();
      expect(intents(bed)).toBe(1);
      let settle = (): void => {};
      bed.restart();
      bed.sql.durable = () => new Promise((resolve) => (settle = resolve));
      const read = watched(bed.bed.shard.read({ ...bed.bed.scope(), keys: ["k1"] }));
      await bed.time.settle();
      expect(read.value).toBeUndefined();
      bed.sql.durable = async () => {};
      settle();
      await bed.time.settle();
      expect(read.value).toMatchObject({ entries: [{ version: 1 }] });
      expect(intents(bed)).toBe(0);

      const again = bed.mutate([set]);
      await bed.time.advance(guardMs);
      expect(verdictOf(again)).toMatchObject({
        outcome: "fail",
        replayed: true,
        error: { code: "write_interrupted", outcome: "fail", retryable: true },
      });
      const next = bed.set("k1", "new");
      await bed.time.settle();
      expect(verdictOf(next)?.outcome).toBe("ok");
    }),
  );

  it(
    "OU3 resolve says pending while it waits, and how it ended after",
    withBed(async (bed) => {
      await held(bed);
      const set = bed.setting("k1", "new");
      const write = bed.mutate([set]);
      await bed.time.settle();
      const resolve = async () => {
        const reply = await bed.bed.shard.resolve({ ...bed.bed.scope(), opIds: [set.opId], seal: true });
        return isRefusal(reply) ? reply : reply.resolutions[0];
      };
      expect(await resolve()).toEqual({ state: "pending" });
      bed.members.acknowledge("a");
      await write.promise;
      expect(await resolve()).toMatchObject({ state: "ok" });
      // A repeat that waits behind another write changes nothing about that.
      await bed.hold("a", "k1");
      void bed.set("k1", "newer");
      void bed.mutate([set]);
      await bed.time.settle();
      expect(await resolve()).toMatchObject({ state: "ok" });
    }),
  );

  it(
    "ST5 a write that waited in the queue has left nothing: its op id may be used again",
    withBed(async (bed) => {
      await held(bed);
      void bed.set("k1", "first");
      const set = bed.setting("k1", "second");
      void bed.mutate([set]);
      await bed.time.settle();
      bed.restart();
      const again = bed.mutate([set]);
      await bed.time.advance(guardMs);
      expect(verdictOf(again)?.outcome).toBe("ok");
      expect(await bed.text("k1")).toBe("second");
    }),
  );

  it(
    "ST5 an abort that the storage refuses is tried again with the next call, and nothing is answered before",
    withBed(async (bed) => {
      await held(bed);
      void bed.set("k1", "new");
      await bed.time.settle();
      bed.restart();
      bed.sql.onWrite = () => {
        throw new Error("disk is full");
      };
      const refused = await bed.bed.shard.read({ ...bed.bed.scope(), keys: ["k1"] });
      expect(refusedCode(refused)).toBe("storage_unavailable");
      bed.sql.onWrite = () => {};
      expect(await bed.text("k1")).toBe("old");
      expect(intents(bed)).toBe(0);
    }),
  );

  it(
    "OU2 a verdict that is known already stands",
    withBed(async (bed) => {
      const set = bed.setting("k1", "x");
      await bed.mutate([set]).promise;
      bed.bed.sql.run("INSERT INTO intents VALUES (99, 0, ?)", JSON.stringify([[set.opId, "other"]]));
      bed.restart();
      expect(verdictOf({ ...bed.mutate([set]), value: await bed.mutate([set]).promise })?.outcome).toBe("ok");
    }),
  );
});

describe("a storage error", () => {
  it(
    "OU1 in the intent fails the write definitely: nobody is told anything, and the next write goes on",
    withBed(async (bed) => {
      await held(bed);
      // The first write of the group that judges it.
      bed.sql.onWrite = () => {
        throw new Error("disk is full");
      };
      const write = bed.set("k1", "new");
      await bed.time.settle();
      expect(write.error).toMatchObject({ code: "storage_unavailable", outcome: "fail" });
      expect(bed.members.get("a")?.inbox).toEqual([]);
      bed.sql.onWrite = () => {};
      const next = bed.set("k1", "next");
      await bed.time.settle();
      expect(bed.members.get("a")?.inbox).toHaveLength(1);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(next)?.outcome).toBe("ok");
    }),
  );

  it(
    "ST2 in the intent leaves nothing that costs a later write the row of its own",
    withBed(async (bed) => {
      await held(bed);
      await bed.set("k2", "old").promise;
      expect(await bed.hold("a", "k2")).toBe(true);
      bed.sql.onWrite = (query) => {
        if (query.startsWith("INSERT INTO intents")) throw new Error("disk is full");
      };
      void bed.set("k1", "refused");
      await bed.time.settle();
      bed.sql.onWrite = () => {};
      // It gets the number that the refused one had.
      void bed.set("k1", "new");
      await bed.time.settle();
      expect(intents(bed)).toBe(1);
      void bed.set("k2", "new");
      await bed.time.settle();
      expect(intents(bed)).toBe(2);
    }),
  );

  it(
    "OU1 about the durability of the intent fails the write definitely: nobody is told, and its row goes with the next one",
    withBed(async (bed) => {
      await held(bed);
      let isStruck = false;
      bed.sql.durable = async () => {
        if (isStruck || intents(bed) === 0) return;
        isStruck = true;
        throw new Error("the disk is gone");
      };
      const write = bed.set("k1", "new");
      await bed.time.settle();
      expect(write.error).toMatchObject({ code: "storage_unavailable", outcome: "fail" });
      expect(bed.members.get("a")?.inbox).toEqual([]);
      expect(intents(bed)).toBe(1);
      const next = bed.set("k1", "next");
      await bed.time.settle();
      expect(bed.members.get("a")?.inbox).toHaveLength(1);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(next)?.outcome).toBe("ok");
      expect(intents(bed)).toBe(0);
    }),
  );

  it(
    "OU1 in the commit fails it definitely, leaves the old value, and its row goes with the next strong write",
    withBed(async (bed) => {
      await held(bed);
      const write = bed.set("k1", "new");
      await bed.time.settle();
      bed.sql.onWrite = () => {
        throw new Error("disk is full");
      };
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(write.error).toMatchObject({ code: "storage_unavailable", outcome: "fail" });
      bed.sql.onWrite = () => {};
      expect(await bed.text("k1")).toBe("old");
      expect(intents(bed)).toBe(1);
      await bed.hold("a", "k1");
      const next = bed.set("k1", "next");
      await bed.time.settle();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(next)?.outcome).toBe("ok");
      expect(intents(bed)).toBe(0);
    }),
  );

  it(
    "OU1 of another's in the group does not touch a strong write",
    withBed(async (bed) => {
      await held(bed);
      // Both arrive while a commit is under way, so that they share the next one.
      const first = bed.set("other", "x");
      const strong = bed.set("k1", "new");
      const broken = watched(
        bed.bed.shard.mutate({
          ...bed.bed.scope(),
          mutations: [{ ...bed.setting("z", "x"), payload: undefined } as never],
        }),
      );
      await bed.time.settle();
      expect(verdictOf(first)?.outcome).toBe("ok");
      expect(broken.error).toBeDefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(strong)?.outcome).toBe("ok");
      expect(bed.log().filter((entry) => entry.startsWith("intent"))).toEqual(["intent k1"]);
    }),
  );
});

describe("the end of a space", () => {
  it(
    "ST1 waits until nobody serves its keys any more",
    withBed(async (bed) => {
      await held(bed);
      await bed.holder("b");
      const deletion = watched(bed.bed.shard.deleteSpace("test", "finish", bed.bed.spaceId));
      await bed.time.settle();
      expect(deletion.value).toBeUndefined();
      expect(bed.members.get("a")?.inbox.map(({ invalidation }) => invalidation.prefixes)).toEqual([[""]]);
      expect(await bed.hold("b", "k1")).toBe(false);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(deletion.value).toBeUndefined();
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(deletion.value).toEqual({ deleted: true });
    }),
  );

  it(
    "ST1 waits for a dead holder as long as its lease",
    withBed(async (bed) => {
      await held(bed);
      bed.members.close("a");
      const deletion = watched(bed.bed.shard.deleteSpace("test", "finish", bed.bed.spaceId));
      await bed.time.advance(nodeLeaseMs * 1.01 - 1);
      expect(deletion.value).toBeUndefined();
      await bed.time.advance(1);
      expect(deletion.value).toEqual({ deleted: true });
    }),
  );

  it(
    "ST5 waits for what an instance before may have let be held",
    withBed(async (bed) => {
      await held(bed);
      bed.restart();
      const deletion = watched(bed.bed.shard.deleteSpace("test", "finish", bed.bed.spaceId));
      await bed.time.advance(guardMs - 1);
      expect(deletion.value).toBeUndefined();
      await bed.time.advance(1);
      expect(deletion.value).toEqual({ deleted: true });
    }),
  );

  it(
    "ST1 waits for a holder whose permission a write has taken, until that has acknowledged",
    withBed(async (bed) => {
      await held(bed);
      void bed.set("k1", "new");
      await bed.time.settle();
      const deletion = watched(bed.bed.shard.deleteSpace("test", "finish", bed.bed.spaceId));
      await bed.time.advance(100);
      expect(deletion.value).toBeUndefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(deletion.value).toEqual({ deleted: true });
    }),
  );

  it(
    "OU1 refuses a strong write that waits, and nothing of it reaches the space's next life",
    withBed(async (bed) => {
      bed.members.join("v");
      const write = bed.set("q1", "new");
      const queued = bed.set("q1", "newer");
      await bed.time.settle();
      const deletion = watched(bed.bed.shard.deleteSpace("test", "finish", bed.bed.spaceId));
      await bed.time.settle();
      expect(deletion.value).toEqual({ deleted: true });
      expect([write.value, queued.value]).toEqual([undefined, undefined]);
      await bed.create();
      bed.members.acknowledge("v");
      await bed.time.settle();
      expect([write.value, queued.value].map((reply) => refusedCode(reply ?? {}))).toEqual([
        "unavailable",
        "unavailable",
      ]);
      expect(await bed.text("q1")).toBeUndefined();
      expect(intents(bed)).toBe(0);
      const next = bed.set("q1", "1");
      await bed.time.settle();
      bed.members.acknowledge("v");
      await bed.time.settle();
      expect(verdictCode(verdictOf(next))).toBe("ok");
    }),
  );
});

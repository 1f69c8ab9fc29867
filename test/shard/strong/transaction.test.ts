import { describe, expect, it } from "vitest";
import { host } from "#host";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import type { Comparison, TransactionOperation } from "../../../src/protocol/transaction.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { StrongBed, strongKeys, type Watched, watched } from "../../support/strong-bed.ts";

function withBed(work: (bed: StrongBed) => Promise<void>): () => Promise<void> {
  const statics = [strongKeys("k*"), strongKeys("q*", { quorum: 1 })];
  return () => host.withSql(async (sql) => await work(await new StrongBed(sql, { statics }).create()));
}

const set = (key: string, value: string): TransactionOperation => ({
  kind: "set",
  key,
  payload: { bytes: utf8(value), contentType: "text/plain" },
});

function transact(
  bed: StrongBed,
  success: readonly TransactionOperation[],
  more: { compare?: readonly Comparison[]; failure?: readonly TransactionOperation[]; session?: string } = {},
) {
  const { compare = [], failure = [], session } = more;
  const transaction = { opId: bed.opId(), compare, success, failure };
  return watched(bed.bed.shard.transact({ ...bed.bed.scope(), transaction }, session));
}

function verdictOf({ value }: ReturnType<typeof transact> | Watched<never>) {
  if (value === undefined) return undefined;
  if (isRefusal(value)) throw new Error(value.refused.code);
  return value.verdict;
}

async function heldBy(bed: StrongBed, session: string, key: string): Promise<void> {
  await bed.set(key, "old").promise;
  await bed.holder(session);
  expect(await bed.hold(session, key)).toBe(true);
}

describe("a transaction over strong keys", () => {
  it(
    "TX3 waits for the holders of all its keys, then commits at one revision",
    withBed(async (bed) => {
      await heldBy(bed, "a", "k1");
      await heldBy(bed, "b", "k2");
      const head = bed.bed.shard.figures.logHead;
      const writing = transact(bed, [set("k1", "new"), set("k2", "new"), set("k3", "new")]);
      await bed.time.settle();
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(writing.value).toBeUndefined();
      expect(await bed.text("k2")).toBe("old");
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "ok", succeeded: true, revision: head + 3 });
      expect(bed.log(head)).toEqual(["intent k1", "intent k2", "set k1", "set k2", "set k3"]);
    }),
  );

  it.each([
    ["set", set("q1", "new")],
    ["delete", { kind: "delete", key: "q1" } as const],
  ])("DI-08 ST7 of one key whose quorum fails (%s) changes nothing", (_, operation) =>
    withBed(async (bed) => {
      bed.members.join("v");
      const first = bed.set("q1", "old");
      await bed.time.settle();
      bed.members.acknowledge("v");
      await first.promise;
      bed.members.close("v");
      const head = bed.bed.shard.figures.logHead;
      const writing = transact(bed, [operation]);
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "fail", error: { code: "quorum_failed" } });
      expect(await bed.text("q1")).toBe("old");
      expect(bed.bed.shard.figures.logHead).toBe(head);
    })(),
  );

  it(
    "DI-09 TX3 ST7 of two keys where the second one's quorum fails changes neither",
    withBed(async (bed) => {
      await heldBy(bed, "a", "k1");
      const writing = transact(bed, [set("k1", "new"), set("q1", "new")], { session: "a" });
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "fail", error: { code: "quorum_failed" } });
      expect([await bed.text("k1"), await bed.text("q1")]).toEqual(["old", undefined]);
      expect(bed.members.get("a")?.inbox).toEqual([]);

      bed.members.join("v");
      const late = transact(bed, [set("k1", "new"), set("q1", "new")], { session: "a" });
      await bed.time.settle();
      bed.members.acknowledge("a");
      bed.members.close("v");
      await bed.time.settle();
      expect(verdictOf(late)).toMatchObject({ outcome: "fail", error: { code: "quorum_failed" } });
      expect([await bed.text("k1"), await bed.text("q1")]).toEqual(["old", undefined]);
    }),
  );

  it(
    "TX3 tells only the holders of the branch that is taken, and nobody where nothing is changed",
    withBed(async (bed) => {
      await heldBy(bed, "a", "k1");
      await heldBy(bed, "b", "k2");
      const compare = [{ key: "k9", exists: true }] as const;
      const nothing = transact(bed, [set("k1", "new")], { compare });
      await bed.time.settle();
      expect(verdictOf(nothing)).toMatchObject({ outcome: "ok", succeeded: false, revision: 0 });
      const other = transact(bed, [set("k1", "new")], { compare, failure: [set("k2", "new")] });
      await bed.time.settle();
      expect(bed.members.get("a")?.inbox).toEqual([]);
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(verdictOf(other)).toMatchObject({ outcome: "ok", succeeded: false });
      expect([await bed.text("k1"), await bed.text("k2")]).toEqual(["old", "new"]);
    }),
  );

  it(
    "TX3 a branch that a key's end has turned meanwhile begins again with its own holders",
    withBed(async (bed) => {
      await heldBy(bed, "a", "k1");
      await heldBy(bed, "b", "k2");
      await bed.mutate([bed.setting("lease", "x", { expiresInMs: 100 })]).promise;
      const compare = [{ key: "lease", exists: true }] as const;
      const writing = transact(bed, [set("k1", "new")], { compare, failure: [set("k2", "new")] });
      await bed.time.advance(100);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(writing.value).toBeUndefined();
      expect(bed.members.get("b")?.inbox.map(({ invalidation }) => invalidation.keys)).toEqual([["k2"]]);
      expect(await bed.text("k2")).toBe("old");
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "ok", succeeded: false });
      expect([await bed.text("k1"), await bed.text("k2")]).toEqual(["old", "new"]);
      expect(bed.bed.sql.all("SELECT * FROM intents")).toEqual([]);
    }),
  );

  it(
    "TX7 ST2 what is compared does not change until the transaction has committed",
    withBed(async (bed) => {
      await heldBy(bed, "a", "k1");
      await bed.set("k5", "1").promise;
      const compare = [{ key: "k5", value: utf8("1") }];
      const writing = transact(bed, [set("k1", "new")], { compare });
      await bed.time.settle();
      const other = bed.set("k5", "2");
      await bed.time.settle();
      expect(other.value).toBeUndefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "ok", succeeded: true });
      expect(other.value).toBeDefined();
    }),
  );
});

import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { LockCommand } from "../../../src/protocol/lock.ts";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import type { Comparison, TransactionOperation } from "../../../src/protocol/transaction.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { lockCalls } from "../../support/real-locks.ts";
import { expectReply } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys, verdictOf, watched } from "../../support/strong-bed.ts";

const lock = "lock";

type Locks = ReturnType<typeof lockCalls>;

/** A shard whose key `k1` is held by the session `a`, and a lock that is held. */
function withHeld(work: (bed: StrongBed, locks: Locks, fence: number) => Promise<void>, ttlMs?: number) {
  return () =>
    host.withSql(async (sql) => {
      const bed = await new StrongBed(sql, { statics: [strongKeys("k*")] }).create();
      await hold(bed);
      const run = async (command: LockCommand) => {
        const { shard } = bed.bed;
        return expectReply(await shard.lock({ ...bed.bed.scope(), commands: [command] })).verdicts[0];
      };
      const locks = lockCalls(run, bed.time, bed.bed.random, ttlMs);
      await work(bed, locks, await locks.grant(lock));
    });
}

async function hold(bed: StrongBed): Promise<void> {
  await bed.set("k1", "old").promise;
  await bed.holder("a");
  expect(await bed.hold("a", "k1")).toBe(true);
}

const set = (key: string, value: string): TransactionOperation => ({
  kind: "set",
  key,
  payload: { bytes: utf8(value), contentType: "text/plain" },
});

function transact(
  bed: StrongBed,
  parts: {
    compare: readonly Comparison[];
    success: readonly TransactionOperation[];
    failure?: readonly TransactionOperation[];
  },
) {
  const transaction = { opId: bed.opId(), failure: [], ...parts };
  return watched(bed.bed.shard.transact({ ...bed.bed.scope(), transaction }));
}

function ended({ value }: ReturnType<typeof transact>) {
  if (value === undefined || isRefusal(value)) throw new Error("no answer");
  return value.verdict;
}

const intents = (bed: StrongBed) => bed.bed.sql.all("SELECT * FROM intents").length;

describe("guards of strong writes", () => {
  it(
    "ST2 LK14 a stale fence is refused before any holder is disturbed",
    withHeld(async (bed, _locks, fence) => {
      const head = bed.bed.shard.figures.logHead;
      const writing = bed.mutate([bed.setting("k1", "new", { guard: { lock, fence: fence + 1 } })]);
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "fail", error: { code: "stale_fence" } });
      expect(bed.members.get("a")?.inbox).toEqual([]);
      expect(bed.bed.shard.figures.logHead).toBe(head);
    }),
  );

  it(
    "ST2 LK14 a lock that is lost between intent and commit refuses the write for good, and the intent goes",
    withHeld(async (bed, locks, fence) => {
      const mutation = bed.setting("k1", "new", { guard: { lock, fence } });
      const writing = bed.mutate([mutation]);
      await bed.time.settle();
      expect(verdictOf(writing)).toBeUndefined();
      expect(intents(bed)).toBe(1);
      const next = await locks.grant(lock);
      bed.members.acknowledge("a");
      await bed.time.settle();
      const stale = { outcome: "fail", error: { code: "stale_fence", outcome: "fail" } };
      expect(verdictOf(writing)).toMatchObject(stale);
      expect(intents(bed)).toBe(0);
      expect(await bed.text("k1")).toBe("old");
      const again = bed.mutate([mutation]);
      await bed.time.settle();
      expect(verdictOf(again)).toMatchObject({ ...stale, replayed: true });
      // The key is free for whoever has the lock now.
      const other = bed.mutate([bed.setting("k1", "theirs", { guard: { lock, fence: next } })]);
      await bed.time.settle();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(other)).toMatchObject({ outcome: "ok" });
      expect(await bed.text("k1")).toBe("theirs");
    }),
  );

  it(
    "ST2 LK14 a lock that is kept until the commit lets the write through",
    withHeld(async (bed, _locks, fence) => {
      const writing = bed.mutate([bed.setting("k1", "new", { guard: { lock, fence } })]);
      await bed.time.settle();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(writing)).toMatchObject({ outcome: "ok" });
      expect(await bed.text("k1")).toBe("new");
    }),
  );

  it(
    "ST2 LK6 LK14 a lock whose time is over while the write waits for a silent holder refuses it",
    withHeld(async (bed, _locks, fence) => {
      const writing = bed.mutate([bed.setting("k1", "new", { guard: { lock, fence } })]);
      await bed.time.settle();
      expect(intents(bed)).toBe(1);
      await bed.time.advance(nodeLeaseMs * 1.1);
      expect(verdictOf(writing)).toMatchObject({ outcome: "fail", error: { code: "stale_fence" } });
      expect(await bed.text("k1")).toBe("old");
      expect(intents(bed)).toBe(0);
    }, nodeLeaseMs / 2),
  );

  it(
    "ST2 LK14 of a batch only those under the lost lock are refused",
    withHeld(async (bed, locks, fence) => {
      await bed.set("k2", "old").promise;
      expect(await bed.hold("a", "k2")).toBe(true);
      const writing = bed.mutate([
        bed.setting("k1", "new", { guard: { lock, fence } }),
        bed.setting("k2", "new"),
      ]);
      await bed.time.settle();
      await locks.end(lock);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(writing.value).toMatchObject({
        verdicts: [{ outcome: "fail", error: { code: "stale_fence" } }, { outcome: "ok" }],
      });
      expect([await bed.text("k1"), await bed.text("k2")]).toEqual(["old", "new"]);
    }),
  );

  it(
    "TX2 TX3 a transaction's comparison of a lock is judged again at the commit, and the lock does not wait for it",
    withHeld(async (bed, locks, fence) => {
      const compare = [{ key: lock, fence }];
      const writing = transact(bed, { compare, success: [set("k1", "new")] });
      await bed.time.settle();
      expect(intents(bed)).toBe(1);
      await locks.end(lock);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(ended(writing)).toMatchObject({ outcome: "ok", succeeded: false, revision: 0 });
      expect(intents(bed)).toBe(0);
      expect(await bed.text("k1")).toBe("old");
    }),
  );

  it(
    "TX2 TX3 where the lost lock makes it take the other branch, the holders of that branch's keys are asked first",
    withHeld(async (bed, locks, fence) => {
      await bed.set("k2", "old").promise;
      await bed.holder("b");
      expect(await bed.hold("b", "k2")).toBe(true);
      const compare = [{ key: lock, fence }];
      const writing = transact(bed, { compare, success: [set("k1", "new")], failure: [set("k2", "new")] });
      await bed.time.settle();
      expect(bed.members.get("b")?.inbox).toEqual([]);
      await locks.end(lock);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(writing.value).toBeUndefined();
      expect(await bed.text("k2")).toBe("old");
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(ended(writing)).toMatchObject({ outcome: "ok", succeeded: false, results: [{ key: "k2" }] });
      expect([await bed.text("k1"), await bed.text("k2")]).toEqual(["old", "new"]);
    }),
  );

  it(
    "TX3 LK14 a transaction under a lost lock does nothing of it",
    withHeld(async (bed, locks, fence) => {
      const guarded = { ...set("k2", "new"), guard: { lock, fence } } as TransactionOperation;
      const writing = transact(bed, { compare: [], success: [set("k1", "new"), guarded] });
      await bed.time.settle();
      await locks.end(lock);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(ended(writing)).toMatchObject({
        outcome: "fail",
        error: { code: "stale_fence", details: { part: "success[1]" } },
      });
      expect([await bed.text("k1"), await bed.text("k2")]).toEqual(["old", undefined]);
    }),
  );
});

describe("guards of strong writes by locks elsewhere", () => {
  it("LK14 a fence is remembered by the commit, not by the trial before it; the highest one is judged at the commit", () =>
    host.withSql(async (sql) => {
      const statics = [strongKeys("k*")];
      const bed = new StrongBed(sql, { statics });
      await bed.bed.create({ shards: 16 });
      await hold(bed);
      const under = (fence: number) => ({ guard: { lock: "far", fence } });
      const fences = () => sql.all("SELECT fence FROM fences").map(({ fence }) => Number(fence));
      const first = bed.mutate([bed.setting("k1", "5", under(5))]);
      const second = bed.mutate([bed.setting("k1", "4", under(4))]);
      await bed.time.settle();
      expect(fences()).toEqual([]);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(fences()).toEqual([5]);
      expect([verdictOf(first)?.outcome, verdictOf(second)]).toMatchObject([
        "ok",
        { outcome: "fail", error: { code: "stale_fence", details: { fence: 4, seen: 5 } } },
      ]);
    }));
});

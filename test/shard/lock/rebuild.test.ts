import { describe, expect, test } from "vitest";
import { host } from "#host";
import { clockStepMs } from "../../../src/runtime/coordination-limits.ts";
import { LockShard, pollWord, wordOf } from "../../support/lock-shard.ts";

function withLocks(work: (locks: LockShard) => Promise<void>): Promise<void> {
  return host.withSql(async (sql) => work(await new LockShard(sql).create()));
}

const left = async (locks: LockShard, name: string): Promise<number | undefined> =>
  (await locks.info(name)).holders[0]?.remainingMs;

describe("the next instance", () => {
  test("LK7 puts what is live off by the most that two hosts' clocks differ, once", () =>
    withLocks(async (locks) => {
      await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      await locks.clock.advance(4_000);
      locks.bed.restart();
      expect(await left(locks, "jobs")).toBe(6_000 + clockStepMs);
      expect(await left(locks, "jobs")).toBe(6_000 + clockStepMs);
      await locks.clock.advance(6_000 + clockStepMs - 1);
      expect(pollWord(await locks.poll("jobs", "b", ticket, 0))).toBe("waiting");
      await locks.clock.advance(1);
      expect(pollWord(await locks.poll("jobs", "b", ticket, 0))).toBe("offered");
      locks.bed.restart();
      await locks.clock.advance(1);
      locks.bed.restart();
      // Each instance does so anew: no two of them need be on one host.
      expect((await locks.info("jobs")).holders[0]?.remainingMs).toBeGreaterThan(3_000);
    }));

  test("LK7 puts nothing off that is undone, and then does it again", () =>
    withLocks(async (locks) => {
      await locks.hold("jobs", "a");
      const failing = { at: 0 };
      const { sql } = locks.bed;
      locks.bed.restart({
        sql: {
          all: (query, ...bindings) => sql.all(query, ...bindings),
          run: (query, ...bindings) => {
            if (query.startsWith("INSERT INTO locks ") && failing.at++ === 0) throw new Error("disk is full");
            sql.run(query, ...bindings);
          },
          transaction: (work) => sql.transaction(work),
        },
      });
      await expect(locks.hold("other", "a")).rejects.toMatchObject({ code: "storage_unavailable" });
      await locks.hold("other", "a");
      expect(await left(locks, "jobs")).toBe(10_000 + clockStepMs);
      expect(await left(locks, "other")).toBe(10_000);
    }));

  test("LK8 keeps the queue in its order, and LK4 the holder's rights", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a", { ttlMs: 60_000 });
      const tickets = [await locks.queue("jobs", "b", { ttlMs: 60_000 }), await locks.queue("jobs", "c")];
      locks.bed.restart();
      const polls = tickets.map((ticket, at) => locks.poll("jobs", "bc".charAt(at), ticket));
      await locks.clock.settle();
      expect(wordOf(await locks.one(locks.acquire("jobs", "d")))).toBe("lock_held");
      await locks.one(locks.release("jobs", "a", fence));
      expect(pollWord(await (polls[0] as (typeof polls)[0]))).toBe("offered");
      const claimed = await locks.claim("jobs", "b", tickets[0] as string);
      expect(claimed).toMatchObject({ state: "held" });
      await locks.clock.advance(20_000);
      expect(pollWord(await (polls[1] as (typeof polls)[0]))).toBe("waiting");
    }));

  test("LK9 a waiter that asks no more is passed over, and one behind it is told", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a", { ttlMs: 600_000 });
      await locks.queue("jobs", "silent");
      const ticket = await locks.queue("jobs", "b");
      await locks.clock.advance(20_000);
      const poll = locks.poll("jobs", "b", ticket);
      await locks.clock.settle();
      await locks.one(locks.release("jobs", "a", fence));
      expect(pollWord(await poll)).toBe("offered");
    }));
});

describe("LK6 a grant is never given away early", () => {
  test("where the wall clock is set forward: it lives on by elapsed time, and so does the next deadline", () =>
    withLocks(async (locks) => {
      await locks.hold("jobs", "a");
      await locks.hold("long", "a", { ttlMs: 60_000 });
      await locks.clock.advance(3_000);
      locks.wallAheadMs = 3_600_000;
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("lock_held");
      expect(await left(locks, "jobs")).toBe(7_000);
      await locks.clock.advance(6_999);
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("lock_held");
      await locks.clock.advance(1);
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("held");
      expect(await left(locks, "long")).toBe(50_000);
      // By the new time of the wall clock, so that the next instance has it right.
      const [row] = locks.bed.sql.all<{ deadline: number }>(
        "SELECT deadline FROM locks WHERE name = ?",
        new TextEncoder().encode("long"),
      );
      expect(row?.deadline).toBe(locks.clock.now() + 3_600_000 + 50_000);
    }));

  test("where its end was undone, and the wall clock is set forward then", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a");
      const release = locks.release("jobs", "a", fence);
      const { sql } = locks.bed;
      const run = sql.run.bind(sql);
      sql.run = (query, ...bindings) => {
        if (query.startsWith("INSERT OR REPLACE INTO verdicts")) throw new Error("disk is full");
        run(query, ...bindings);
      };
      await expect(locks.one(release)).rejects.toMatchObject({ code: "storage_unavailable" });
      sql.run = run;
      locks.wallAheadMs = 3_600_000;
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("lock_held");
    }));

  test("where the wall clock is set back: it lives longer, never shorter", () =>
    withLocks(async (locks) => {
      await locks.hold("jobs", "a");
      locks.wallAheadMs = -5_000;
      await locks.clock.advance(10_000);
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("lock_held");
      await locks.clock.advance(5_000);
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("held");
    }));

  test("LK7 where the wall clock had been set back when it was told how long it lives, and is set right again", () =>
    withLocks(async (locks) => {
      const acquiring = locks.acquire("jobs", "a");
      const first = await locks.one(acquiring);
      if (first.outcome !== "ok" || first.state !== "held") throw new Error("not held");
      const { fence } = first;
      const confirm = () =>
        ({ kind: "confirm", opId: locks.bed.opId(), name: "jobs", owner: "a", fence }) as const;
      locks.wallAheadMs = -5_000;
      await locks.clock.advance(2_000);
      for (const ask of [acquiring, confirm()]) {
        const told = await locks.one(ask);
        if (told.outcome !== "ok" || told.state !== "held") throw new Error("not held");
        locks.wallAheadMs = 0;
        await locks.clock.advance(told.remainingMs - 1);
        expect(wordOf(await locks.one(confirm()))).toBe("held");
        expect(wordOf(await locks.one({ ...confirm(), kind: "renew" }))).toBe("held");
        locks.wallAheadMs = -5_000;
      }
    }));

  test("a late alarm is no reprieve: each call first ends what is due", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a");
      await locks.clock.advance(10_000);
      const renew = { kind: "renew", opId: locks.bed.opId(), name: "jobs", owner: "a", fence } as const;
      expect(await locks.one(renew)).toMatchObject({
        outcome: "fail",
        error: { code: "lock_lost", details: { reason: "expired" } },
      });
    }));
});

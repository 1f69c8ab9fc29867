import { describe, expect, test } from "vitest";
import { host } from "#host";
import { fenceOf, LockShard, pollWord, wordOf } from "../../support/lock-shard.ts";
import { Durability, FailingStorage } from "../../support/lock-storage.ts";

/** What a promise has come to; undefined: nothing yet. */
function watch<T>(promise: Promise<T>, word: (value: T) => string): { readonly word: string | undefined } {
  const seen: { word: string | undefined } = { word: undefined };
  promise.then(
    (value) => {
      seen.word = word(value);
    },
    (error: unknown) => {
      seen.word = `threw ${String((error as { code?: unknown }).code)}`;
    },
  );
  return seen;
}

describe("LK3 nothing is said of a grant before its commit is durable", () => {
  test("the answers of acquire and of release, and the one that a waiter gets by it", () =>
    host.withSql(async (sql) => {
      const storage = new Durability();
      const locks = await new LockShard(sql, { durable: storage.durable }).create();
      const fence = await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      const poll = watch(locks.poll("jobs", "b", ticket), pollWord);
      await locks.clock.settle();
      storage.isHeld = true;
      const release = watch(locks.one(locks.release("jobs", "a", fence)), wordOf);
      const acquire = watch(locks.one(locks.acquire("other", "a")), wordOf);
      await locks.clock.settle();
      expect([release.word, acquire.word, poll.word]).toEqual([undefined, undefined, undefined]);
      storage.next();
      await locks.clock.settle();
      // Acquire came while the release was under way, and is a commit of its own.
      expect([release.word, acquire.word, poll.word]).toEqual(["ended", undefined, "offered"]);
      storage.next();
      await locks.clock.settle();
      expect(acquire.word).toBe("held");
    }));

  test("a poll whose answer lies in a commit that is not durable yet does not get it from the one before", () =>
    host.withSql(async (sql) => {
      const storage = new Durability();
      const locks = await new LockShard(sql, { durable: storage.durable }).create();
      const fence = await locks.hold("jobs", "a");
      const first = await locks.queue("jobs", "b");
      const second = await locks.queue("jobs", "c");
      const polls = [
        watch(locks.poll("jobs", "b", first), pollWord),
        watch(locks.poll("jobs", "c", second), pollWord),
      ];
      await locks.clock.settle();
      storage.isHeld = true;
      void locks.one(locks.release("jobs", "a", fence));
      await locks.clock.settle();
      // Written, and not durable, when the release is.
      void locks.one({ kind: "cancel", opId: locks.bed.opId(), name: "jobs", owner: "b", ticket: first });
      storage.next();
      await locks.clock.settle();
      expect(polls.map(({ word }) => word)).toEqual(["offered", undefined]);
      storage.next();
      await locks.clock.settle();
      expect(polls.map(({ word }) => word)).toEqual(["offered", "offered"]);
    }));

  test("where a commit's fate is unknown, so is the answer, and whoever waits looks again", () =>
    host.withSql(async (sql) => {
      const storage = new Durability();
      const locks = await new LockShard(sql, { durable: storage.durable }).create();
      const fence = await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      const poll = watch(locks.poll("jobs", "b", ticket), pollWord);
      await locks.clock.settle();
      storage.isHeld = true;
      const release = watch(locks.one(locks.release("jobs", "a", fence)), wordOf);
      await locks.clock.settle();
      storage.next(new Error("lost"));
      await locks.clock.settle();
      expect(release.word).toBe("threw storage_unavailable");
      expect(poll.word).toBeUndefined();
      storage.next();
      await locks.clock.settle();
      expect(poll.word).toBe("offered");
    }));
});

describe("work that is undone", () => {
  test("LK9 a hand-over in a group that another's trouble undoes is still told", () =>
    host.withSql(async (raw) => {
      const sql = new FailingStorage(raw);
      const storage = new Durability();
      const locks = await new LockShard(sql, { durable: storage.durable }).create();
      const fence = await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      const poll = watch(locks.poll("jobs", "b", ticket), pollWord);
      await locks.clock.settle();
      storage.isHeld = true;
      const blocker = locks.hold("blocker", "x");
      await locks.clock.settle();
      // These two come while the first is under way: one group.
      sql.fails = (query) => query.startsWith("INSERT OR REPLACE INTO keys");
      const release = watch(locks.one(locks.release("jobs", "a", fence)), wordOf);
      const doomed = watch(locks.bed.set("k", "1"), () => "ok");
      await locks.clock.settle();
      const before = locks.bed.shard.figures.commits;
      storage.next();
      await locks.clock.settle();
      expect([release.word, poll.word]).toEqual([undefined, undefined]);
      storage.next();
      await locks.clock.settle();
      await blocker;
      expect(locks.bed.shard.figures.commits).toBe(before + 1);
      expect([release.word, doomed.word, poll.word]).toEqual([
        "ended",
        "threw storage_unavailable",
        "offered",
      ]);
    }));

  test("LK2 LK9 a trial of a strong write in the same commit takes no hand-over and no fence with it", () =>
    host.withSql(async (sql) => {
      const storage = new Durability();
      const locks = await new LockShard(sql, { durable: storage.durable }).create();
      const { bed } = locks;
      await bed.shard.register({
        ...bed.scope(),
        pattern: "*",
        settings: {
          mode: "strong",
          cacheTtlMs: 60_000,
          maxStalenessMs: 5_000,
          quorum: 1,
        },
      });
      bed.registrations = 1;
      const fence = await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      const poll = watch(locks.poll("jobs", "b", ticket), pollWord);
      await locks.clock.settle();
      storage.isHeld = true;
      void locks.hold("blocker", "x");
      await locks.clock.settle();
      const release = watch(locks.one(locks.release("jobs", "a", fence)), wordOf);
      const given = locks.one(locks.acquire("mine", "c"));
      // Nobody is connected, so its quorum can't be met: it is tried, and refused.
      const write = bed.set("k", "1");
      const later = locks.one(locks.acquire("later", "c"));
      for (let commits = 0; commits < 8; commits++) {
        storage.next();
        await locks.clock.settle();
      }
      storage.isHeld = false;
      for (; storage.waiting > 0; ) storage.next();
      expect(await write).toMatchObject({ outcome: "fail", error: { code: "quorum_failed" } });
      await locks.clock.settle();
      expect([release.word, poll.word]).toEqual(["ended", "offered"]);
      const fences = [fenceOf(await given), fenceOf(await later)];
      expect(new Set(fences).size).toBe(2);
      expect((await locks.info("jobs")).holders[0]?.fence).not.toBe(fences[0]);
      const known = sql.all<{ fence: number }>("SELECT fence FROM locks").map((row) => row.fence);
      expect(new Set(known).size).toBe(known.length);
      expect(await locks.hold("last", "d")).toBeGreaterThan(Math.max(...known));
    }));

  test("OU1 a storage failure at any write of a lock command leaves nothing, and the same command goes through after it", async () => {
    for (let failAt = 1; ; failAt++) {
      const struck = await host.withSql(async (raw) => {
        const sql = new FailingStorage(raw);
        const locks = await new LockShard(sql).create();
        const fence = await locks.hold("top", "a", { as: "election", delayMs: 50 });
        await locks.queue("top", "b", { as: "election" });
        const commands = [
          locks.release("top", "a", fence),
          locks.acquire("jobs", "c"),
          locks.acquire("jobs", "d", { waitMs: 1_000 }),
          locks.acquire("jobs", "e"),
        ];
        const picture = () =>
          ["locks", "lock_waiters", "lock_delays", "lock_steps", "verdicts", "meta"].map((table) =>
            raw.all(`SELECT * FROM ${table}`),
          );
        const before = picture();
        sql.writes = 0;
        sql.fails = () => sql.writes === failAt;
        const first = await locks.lock(commands).catch((error: unknown) => error);
        const hit = first instanceof Error;
        if (hit) {
          expect(first).toMatchObject({ code: "storage_unavailable", outcome: "fail" });
          expect(picture()).toEqual(before);
        }
        sql.fails = () => false;
        const verdicts = hit ? await locks.lock(commands) : (first as Awaited<ReturnType<typeof locks.lock>>);
        expect(verdicts.map(wordOf)).toEqual(["ended", "held", "waiting", "lock_held"]);
        expect((await locks.info("top")).holders).toMatchObject([{ owner: "b", offered: true }]);
        return hit;
      });
      if (!struck) {
        expect(failAt).toBeGreaterThan(8);
        return;
      }
    }
  });
});

import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { LockVerdict } from "../../../src/protocol/lock.ts";
import { fenceOf, LockShard, pollWord, wordOf } from "../../support/lock-shard.ts";
import { expectReply, refusedCode } from "../../support/shard-bed.ts";

function withLocks(work: (locks: LockShard) => Promise<void>): Promise<void> {
  return host.withSql(async (sql) => work(await new LockShard(sql).create()));
}

describe("locks of a shard", () => {
  test("LK1 LK4 a mutex is granted once, released by its owner, and granted again under a higher fence", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a");
      expect(wordOf(await locks.one(locks.acquire("jobs", "b")))).toBe("lock_held");
      expect(wordOf(await locks.one(locks.release("jobs", "b", fence)))).toBe("not_owner");
      expect(wordOf(await locks.one(locks.release("jobs", "a", fence)))).toBe("ended");
      expect(await locks.hold("jobs", "b")).toBeGreaterThan(fence);
    }));

  test("LK8 LK9 a poll is answered when the release that frees the lock is durable", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      let answer: string | undefined;
      void locks.poll("jobs", "b", ticket).then((reply) => {
        answer = pollWord(reply);
      });
      await locks.clock.settle();
      expect(answer).toBeUndefined();
      await locks.one(locks.release("jobs", "a", fence));
      await locks.clock.settle();
      expect(answer).toBe("offered");
      const claimed = await locks.claim("jobs", "b", ticket);
      expect(wordOf(claimed)).toBe("held");
      expect(fenceOf(claimed)).toBeGreaterThan(fence);
    }));

  test("LK11 a grant ends at its deadline, by the alarm alone, and the next waiter is told", () =>
    withLocks(async (locks) => {
      await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      const poll = locks.poll("jobs", "b", ticket);
      await locks.clock.advance(10_000);
      expect(locks.bed.alarmMs).toBeLessThanOrEqual(locks.clock.now());
      await locks.bed.shard.onAlarm();
      expect(pollWord(await poll)).toBe("offered");
    }));

  test("OU2 a repeat gets the verdict again, and nothing is granted twice", () =>
    withLocks(async (locks) => {
      const command = locks.acquire("jobs", "a");
      const first = await locks.one(command);
      expect(await locks.one(command)).toEqual({ ...first, replayed: true });
      expect(wordOf(await locks.one({ ...command, owner: "b" }))).toBe("op_id_reused");
      const refused = locks.acquire("jobs", "b");
      expect(wordOf(await locks.one(refused))).toBe("lock_held");
      await locks.one(locks.release("jobs", "a", fenceOf(first)));
      expect(await locks.one(refused)).toMatchObject({ outcome: "fail", replayed: true });
    }));

  test("OU2 a repeat of one who stands in the queue hears how the place stands now", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a");
      const command = locks.acquire("jobs", "b", { waitMs: 60_000 });
      expect(await locks.one(command)).toMatchObject({ state: "waiting", position: 1 });
      expect(await locks.one(command)).toMatchObject({ state: "waiting", position: 1, replayed: true });
      await locks.one(locks.release("jobs", "a", fence));
      expect(await locks.one(command)).toMatchObject({ state: "offered", replayed: true });
    }));

  test("OU3 what became of a lock command is told, and what was not seen is sealed", () =>
    withLocks(async (locks) => {
      const command = locks.acquire("jobs", "a");
      const fence = fenceOf(await locks.one(command));
      const late = locks.release("jobs", "a", fence);
      const opIds = [command.opId, late.opId];
      const { shard } = locks.bed;
      const told = expectReply(await shard.resolve({ ...locks.bed.scope(), opIds, seal: true }));
      expect(told.resolutions).toEqual([
        { state: "ok", version: fence, revision: fence },
        { state: "sealed" },
      ]);
      expect(wordOf(await locks.one(late))).toBe("op_sealed");
      expect((await locks.info("jobs")).holders).toMatchObject([{ owner: "a", fence }]);
    }));

  test("128 commands are one commit, in their order; more, none, and names of other shards are refused as a whole", () =>
    withLocks(async (locks) => {
      const { shard } = locks.bed;
      const before = shard.figures.commits;
      const many = Array.from({ length: 128 }, (_, at) => locks.acquire(`job ${at % 64}`, `${at}`));
      const verdicts = await locks.lock(many);
      expect(shard.figures.commits).toBe(before + 1);
      expect(verdicts.map(wordOf)).toEqual([...Array(64).fill("held"), ...Array(64).fill("lock_held")]);
      const ask = async (commands: typeof many) =>
        refusedCode(await shard.lock({ ...locks.bed.scope(), commands }));
      expect(await ask([...many, locks.acquire("x", "y")])).toBe("batch_too_large");
      expect(await ask([])).toBe("invalid_argument");
    }));

  test("LK13 what is malformed is refused on its own, and nothing is changed or remembered", () =>
    withLocks(async (locks) => {
      const bad = locks.acquire("", "a");
      const verdicts = await locks.lock([
        bad,
        locks.acquire("jobs", "a"),
        locks.acquire("jobs", "b", { ttlMs: 99 }),
      ]);
      expect(verdicts.map(wordOf)).toEqual(["invalid_lock", "held", "invalid_ttl"]);
      expect(locks.bed.sql.all("SELECT op_id FROM verdicts")).toHaveLength(1);
    }));

  test("LK3 confirm is answered by a commit of its own and remembered by nobody", () =>
    withLocks(async (locks) => {
      const fence = await locks.hold("jobs", "a");
      const confirm = { kind: "confirm", opId: locks.bed.opId(), name: "jobs", owner: "a", fence } as const;
      const barrier = () => locks.bed.sql.all("SELECT value FROM meta WHERE name = 'barrier'")[0]?.value;
      expect(barrier()).toBeUndefined();
      expect(await locks.one(confirm)).toMatchObject({ state: "held", fence });
      expect(barrier()).toBe(locks.clock.now());
      await locks.one(locks.release("jobs", "a", fence));
      expect(wordOf(await locks.one(confirm))).toBe("lock_lost");
    }));

  test("LK3 whatever says that something is the caller's is said by a commit that writes", () =>
    withLocks(async (locks) => {
      const barrier = () => locks.bed.sql.all("SELECT value FROM meta WHERE name = 'barrier'")[0]?.value;
      const command = locks.acquire("jobs", "a");
      const fence = fenceOf(await locks.one(command));
      const ticket = await locks.queue("jobs", "b");
      expect(barrier()).toBeUndefined();
      await locks.clock.advance(1);
      expect(await locks.one(command)).toMatchObject({ state: "held", replayed: true });
      expect(barrier()).toBe(locks.clock.now());
      await locks.one(locks.release("jobs", "a", fence));
      await locks.clock.advance(1);
      expect(pollWord(await locks.poll("jobs", "b", ticket, 0))).toBe("offered");
      expect(barrier()).toBe(locks.clock.now());
    }));

  test("who waits when the space is deleted is told so", () =>
    withLocks(async (locks) => {
      await locks.hold("jobs", "a");
      const ticket = await locks.queue("jobs", "b");
      const poll = locks.poll("jobs", "b", ticket);
      const observing = locks.bed.shard.observe({ ...locks.bed.scope(), name: "jobs", waitMs: 20_000 });
      await locks.clock.settle();
      await locks.bed.shard.deleteSpace("test", "begin");
      await locks.bed.shard.deleteSpace("test", "finish");
      expect(pollWord(await poll)).toBe("unavailable");
      expect(refusedCode(await observing)).toBe("unavailable");
    }));

  test("LK15 an observer hears of each step in order, waits for the next, and goes on from where it was", () =>
    withLocks(async (locks) => {
      const election = { as: "election" as const };
      expect(await locks.observe("top")).toMatchObject({ events: [] });
      const waiting = locks.observe("top", { waitMs: 20_000 });
      await locks.clock.settle();
      const fence = await locks.hold("top", "a", election);
      const first = await waiting;
      expect(first.events).toMatchObject([{ kind: "elected", owner: "a", fence }]);
      const next = locks.observe("top", { after: first.to, epoch: first.epoch, waitMs: 20_000 });
      await locks.clock.settle();
      await locks.one(locks.release("top", "a", fence));
      const second = await next;
      expect(second.events).toMatchObject([{ kind: "ended", owner: "a", reason: "released" }]);
      expect(await locks.observe("top", { after: first.to, epoch: "another" })).toMatchObject({ gap: true });
      // Of a storage that was set back: what comes until then would never be told.
      const ahead = await locks.observe("top", { after: second.asOf + 100, epoch: first.epoch });
      expect(ahead).toMatchObject({ gap: true, to: second.to });
      const quiet = locks.observe("top", { after: second.to, epoch: first.epoch, waitMs: 5_000 });
      await locks.clock.advance(5_000);
      expect(await quiet).toMatchObject({ events: [], to: second.to });
    }));

  test("looking at locks of a shard that was never written to stores nothing", () =>
    host.withSql(async (sql) => {
      const locks = new LockShard(sql);
      const scope = { space: "test", shard: 0, spaceId: undefined, registrations: 0 };
      expect(refusedCode(await locks.bed.shard.lockInfo({ ...scope, name: "jobs" }))).toBe("space_not_found");
      expect(
        sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"),
      ).toEqual([]);
    }));

  test("LK2 fences grow over keys, locks, restarts, and the removal of all that tells of them", () =>
    withLocks(async (locks) => {
      let last = 0;
      const grown = (verdict: LockVerdict) => {
        const fence = fenceOf(verdict);
        expect(fence).toBeGreaterThan(last);
        last = fence;
      };
      for (let round = 0; round < 4; round++) {
        grown(await locks.one(locks.acquire("jobs", "a")));
        await locks.one(locks.release("jobs", "a", last));
        if (round % 2 === 0) await locks.bed.set(`k${round}`, "1");
        await locks.clock.advance(86_400_000 * 2);
        await locks.bed.shard.onAlarm();
        expect(locks.bed.sql.all("SELECT * FROM locks")).toEqual([]);
        locks.bed.restart();
      }
    }));
});

import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { Sql, SqlValue } from "../../../src/runtime/sql.ts";
import { LockShard, pollWord, wordOf } from "../../support/lock-shard.ts";

/** Notes the statements that pass. */
class Noting implements Sql {
  readonly #sql: Sql;
  readonly queries = new Map<string, readonly SqlValue[]>();
  writes: string[] = [];

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  all: Sql["all"] = (query, ...bindings) => {
    this.queries.set(query, bindings);
    return this.#sql.all(query, ...bindings);
  };

  run: Sql["run"] = (query, ...bindings) => {
    this.queries.set(query, bindings);
    this.writes.push(query);
    this.#sql.run(query, ...bindings);
  };

  transaction<T>(work: () => T): T {
    return this.#sql.transaction(work);
  }
}

/** A life of locks, with all that calls do. */
async function live(locks: LockShard): Promise<void> {
  const fence = await locks.hold("top", "a", { as: "election", delayMs: 50 });
  const ticket = await locks.queue("top", "b", { as: "election" });
  await locks.lock([
    { kind: "renew", opId: locks.bed.opId(), name: "top", owner: "a", fence },
    { kind: "confirm", opId: locks.bed.opId(), name: "top", owner: "a", fence },
    locks.release("top", "a", fence),
  ]);
  expect(pollWord(await locks.poll("top", "b", ticket, 0))).toBe("offered");
  expect(wordOf(await locks.claim("top", "b", ticket))).toBe("held");
  await locks.hold("sem", "c", { as: "semaphore", permits: 9 });
  await locks.observe("top", { after: 1, epoch: (await locks.observe("top")).epoch });
  await locks.info("top");
  await locks.bed.shard.listLocks({ ...locks.bed.scope(), prefix: "t", after: "a", limit: 10 });
  await locks.bed.shard.listLocks({ ...locks.bed.scope(), prefix: "t", after: "to", limit: 10 });
  await locks.clock.advance(60_000);
  await locks.bed.shard.onAlarm();
}

describe("what locks cost", () => {
  // The platform lets nobody ask for plans.
  test.skipIf(host.name === "workerd")("no call reads a table from its one end to the other", () =>
    host.withSql(async (raw) => {
      const sql = new Noting(raw);
      const locks = await new LockShard(sql).create();
      await live(locks);
      const scans: string[] = [];
      for (const [query, bindings] of sql.queries) {
        if (!/\block(s|_\w+)\b/.test(query) || query.startsWith("CREATE")) continue;
        const plan = raw.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`, ...bindings);
        for (const { detail } of plan) {
          if (/^SCAN (?!\(subquery|CONSTANT)/.test(detail) && !detail.includes("INDEX")) {
            scans.push(`${query}: ${detail}`);
          }
        }
      }
      // The first row alone.
      expect(scans).toEqual(["SELECT 1 FROM lock_steps LIMIT 1: SCAN lock_steps"]);
    }),
  );

  test("an acquisition that nobody disturbs writes a grant, its verdict and how far fences are; its release the end and its verdict", () =>
    host.withSql(async (raw) => {
      const sql = new Noting(raw);
      const locks = await new LockShard(sql).create();
      await locks.hold("first", "a");
      sql.writes = [];
      const fence = await locks.hold("jobs", "a");
      const tables = () => sql.writes.map((query) => /(?:INTO|UPDATE) (\w+)/.exec(query)?.[1]);
      expect(tables()).toEqual(["locks", "verdicts", "meta"]);
      sql.writes = [];
      await locks.one(locks.release("jobs", "a", fence));
      expect(tables()).toEqual(["locks", "verdicts"]);
    }));

  test("commits that have nothing to do with locks ask nothing of their tables", () =>
    host.withSql(async (raw) => {
      const sql = new Noting(raw);
      const locks = await new LockShard(sql).create();
      await locks.hold("jobs", "a");
      await locks.bed.set("warm", "1");
      sql.queries.clear();
      await locks.bed.set("k", "1");
      expect([...sql.queries.keys()].filter((query) => /\block(s|_\w+)\b/.test(query))).toEqual([]);
    }));
});

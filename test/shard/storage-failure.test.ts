import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { StoredRegistration } from "../../src/protocol/registration.ts";
import type { MutateReply, TransactReply } from "../../src/protocol/shard-api.ts";
import type { Transaction } from "../../src/protocol/transaction.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { expectReply, ShardBed } from "../support/shard-bed.ts";

/** Fails the `failAt`-th statement that writes, once. */
class FailingSql implements Sql {
  readonly #sql: Sql;
  writes = 0;
  failAt = Number.POSITIVE_INFINITY;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  all: Sql["all"] = (query, ...bindings) => this.#sql.all(query, ...bindings);

  run(query: string, ...bindings: Parameters<Sql["run"]>[1][]): void {
    this.writes++;
    if (this.writes === this.failAt) {
      this.failAt = Number.POSITIVE_INFINITY;
      throw new Error("database or disk is full");
    }
    this.#sql.run(query, ...bindings);
  }

  transaction<T>(work: () => T): T {
    return this.#sql.transaction(work);
  }
}

async function picture(bed: ShardBed) {
  const list = expectReply(await bed.shard.list({ ...bed.scope(), prefix: "", limit: 100, values: true }));
  const usage = expectReply(await bed.shard.usage(bed.scope()));
  const { epoch } = await bed.read();
  const versions = bed.sql.all("SELECT version, seq, kind, at FROM history ORDER BY key, version");
  const log = expectReply(await bed.shard.changes({ ...bed.scope(), epoch, since: 0, limit: 100 }));
  return { items: list.items, usage, versions, log: log.changes };
}

/** Every key keeps its versions. */
const keeping: readonly StoredRegistration[] = [
  {
    pattern: "*",
    settings: {
      mode: "eventual",
      cacheTtlMs: 1_000,
      maxStalenessMs: 1_000,
      history: { versions: 2, ageMs: 60_000 },
    },
    version: 0,
    source: "static",
  },
];

describe("a storage failure in the middle", () => {
  it.each([
    ["", []],
    [" with kept versions", keeping],
  ])(
    "OU1 leaves nothing half done%s, at whichever write it strikes, and the same call goes through afterwards",
    async (_, statics) => {
      for (let failAt = 1; ; failAt++) {
        const struck = await host.withSql(async (raw) => {
          const sql = new FailingSql(raw);
          const bed = await new ShardBed(sql, { statics }).create();
          await bed.set("old", "1");
          await bed.set("gone", "1");
          await bed.set("due", "1", { expiresInMs: 10 });
          bed.nowMs += 10;
          const payload = { bytes: utf8("new"), contentType: "t/p" };
          const mutations = [
            { kind: "set" as const, opId: bed.opId(), key: "new", payload, expiresInMs: 1000 },
            { kind: "set" as const, opId: bed.opId(), key: "old", payload },
            { kind: "delete" as const, opId: bed.opId(), key: "gone" },
            { kind: "delete" as const, opId: bed.opId(), key: "absent" },
            { kind: "invalidate" as const, opId: bed.opId(), key: "old" },
          ];
          bed.nowMs -= 10;
          const before = await picture(bed);
          bed.nowMs += 10;
          sql.writes = 0;
          sql.failAt = failAt;
          const call = () => bed.shard.mutate({ ...bed.scope(), mutations });
          const first = await call().catch((error: unknown) => error);
          const hit = first instanceof Error;
          if (hit) {
            expect(first).toMatchObject({ code: "storage_unavailable", outcome: "fail", retryable: true });
            // Seen from before the due key's end, so that looking changes nothing.
            bed.nowMs -= 10;
            expect(await picture(bed)).toEqual(before);
            bed.nowMs += 10;
          }
          const { verdicts } = expectReply(hit ? await call() : (first as MutateReply));
          expect(verdicts.map((v) => v.outcome)).toEqual(["ok", "ok", "ok", "ok", "ok"]);
          const after = await picture(bed);
          expect(after.log.length).toBe(before.log.length + 5);
          expect(new Set(after.log.map((c) => c.revision)).size).toBe(after.log.length);
          const again = expectReply(await bed.shard.mutate({ ...bed.scope(), mutations }));
          expect(again.verdicts).toEqual(verdicts.map((v) => ({ ...v, replayed: true })));
          expect(await picture(bed)).toEqual(after);
          return hit;
        });
        if (!struck) {
          expect(failAt).toBeGreaterThan(8);
          return;
        }
      }
    },
  );

  it("TX1 leaves nothing of a transaction, at whichever write it strikes, and the same one goes through afterwards", async () => {
    for (let failAt = 1; ; failAt++) {
      const struck = await host.withSql(async (raw) => {
        const sql = new FailingSql(raw);
        const bed = await new ShardBed(sql, { statics: keeping }).create();
        await bed.set("old", "1");
        await bed.set("gone", "1");
        const payload = { bytes: utf8("new"), contentType: "t/p" };
        const transaction: Transaction = {
          opId: bed.opId(),
          compare: [{ key: "old", exists: true }],
          success: [
            { kind: "set", key: "old", payload },
            { kind: "delete", key: "gone" },
            { kind: "set", key: "new", payload, expiresInMs: 1_000 },
          ],
          failure: [],
        };
        const before = await picture(bed);
        sql.writes = 0;
        sql.failAt = failAt;
        const call = () => bed.shard.transact({ ...bed.scope(), transaction });
        const first = await call().catch((error: unknown) => error);
        const hit = first instanceof Error;
        if (hit) {
          expect(first).toMatchObject({ code: "storage_unavailable", outcome: "fail", retryable: true });
          expect(await picture(bed)).toEqual(before);
        }
        const { verdict } = expectReply(hit ? await call() : (first as TransactReply));
        expect(verdict).toMatchObject({ outcome: "ok", succeeded: true, revision: 3 });
        const after = await picture(bed);
        expect(after.log.slice(2).map((c) => `${c.revision} ${c.kind} ${c.key}`)).toEqual([
          "3 set old",
          "3 delete gone",
          "3 set new",
        ]);
        expect(expectReply(await call()).verdict).toEqual({ ...verdict, replayed: true });
        expect(await picture(bed)).toEqual(after);
        return hit;
      });
      if (!struck) {
        expect(failAt).toBeGreaterThan(8);
        return;
      }
    }
  });

  it("OU1 that lasts is storage_unavailable with outcome fail, and the shard is as before", async () => {
    await host.withSql(async (raw) => {
      const sql = new FailingSql(raw);
      const bed = await new ShardBed(sql).create();
      await bed.set("old", "1");
      const before = await picture(bed);
      const opId = bed.opId();
      for (let strike = 1; strike <= 2; strike++) {
        const original = sql.run.bind(sql);
        sql.run = (query, ...bindings) => {
          if (query.startsWith("INSERT OR REPLACE INTO keys")) throw new Error("disk I/O error");
          original(query, ...bindings);
        };
        await expect(bed.set("new", "1", { opId })).rejects.toMatchObject({
          code: "storage_unavailable",
          outcome: "fail",
          retryable: true,
        });
        sql.run = original;
        expect(await picture(bed)).toEqual(before);
      }
      expect(await bed.set("new", "1", { opId })).toMatchObject({ outcome: "ok", revision: 2 });
    });
  });
});

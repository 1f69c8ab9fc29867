import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { StoredRegistration } from "../../src/protocol/registration.ts";
import type { Transaction, TransactionVerdict } from "../../src/protocol/transaction.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { seeded } from "../support/seeded.ts";
import { expectReply, refusedCode, ShardBed } from "../support/shard-bed.ts";

const plain = (text: string) => ({ bytes: utf8(text), contentType: "text/plain" });
const set = (key: string, text = "x") => ({ kind: "set", key, payload: plain(text) }) as const;

async function transact(bed: ShardBed, parts: Partial<Transaction>): Promise<TransactionVerdict> {
  const transaction = { opId: bed.opId(), compare: [], success: [], failure: [], ...parts };
  return expectReply(await bed.shard.transact({ ...bed.scope(), transaction })).verdict;
}

const dump = (sql: Sql, ...tables: string[]) => tables.map((table) => sql.all(`SELECT * FROM ${table}`));

const statics: readonly StoredRegistration[] = [
  {
    pattern: "{a}*",
    settings: { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, history: { versions: 4 } },
    version: 0,
    source: "static",
  },
  {
    pattern: "{a}n*",
    settings: { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, merge: "sum" },
    version: 0,
    source: "static",
  },
];

describe("transactions at the shard", () => {
  it("TX1 200 rejected transactions leave nothing behind but their verdicts", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql, { statics }).create({ strict: true });
      for (let i = 0; i < 5; i++) await bed.set(`{a}${i}`, "1");
      await bed.set("{a}n", "1");
      const seed = 11;
      const random = seeded(seed);
      const before = dump(sql, "keys", "log", "history", "registrations", "meta");
      for (let i = 0; i < 200; i++) {
        const good = Array.from({ length: 1 + random.below(5) }, (_, n) =>
          random.below(2) === 0 ? set(`{a}${n}`) : ({ kind: "delete", key: `{a}${n}` } as const),
        );
        const bad = random.pick([
          set("{b}unregistered"),
          { ...set("{a}9"), when: { anyOf: "*" } } as const,
          set("{a}n", "no number"),
          { kind: "merge", key: "{a}9", operand: plain("1") } as const,
          set("{a}0"),
          { ...set("{a}9"), expiresInMs: 0 },
        ]);
        const at = random.below(good.length + 1);
        const success = [...good.slice(0, at), bad, ...good.slice(at)];
        const duplicate = bad.key === "{a}0";
        const transaction = { opId: bed.opId(), compare: [], success, failure: [] };
        const reply = await bed.shard.transact({ ...bed.scope(), transaction });
        if (duplicate) expect(refusedCode(reply), `seed ${seed}`).toBe("duplicate_key");
        else expect(expectReply(reply).verdict.outcome, `seed ${seed}`).toBe("fail");
        if (i % 50 === 49) bed.restart();
      }
      expect(dump(sql, "keys", "log", "history", "registrations", "meta")).toEqual(before);
      expect(sql.all("SELECT * FROM verdicts").length).toBeLessThanOrEqual(200);
      expect(await transact(bed, { success: [set("{a}0"), set("{a}n", "2")] })).toMatchObject({
        outcome: "ok",
      });
    }));

  it("TX4 keys that do not all lie in this shard are refused as a whole", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create({ shards: 4 });
      const transaction = {
        opId: bed.opId(),
        compare: [],
        success: [set("a"), set("b"), set("c")],
        failure: [],
      };
      expect(refusedCode(await bed.shard.transact({ ...bed.scope(), transaction }))).toBe("cross_shard");
      const elsewhere = ["a", "b", "c", "d"].map(async (key) => {
        const one = { ...transaction, opId: bed.opId(), success: [set(key)] };
        return await bed.shard.transact({ ...bed.scope(), transaction: one });
      });
      const replies = await Promise.all(elsewhere);
      expect(replies.filter((reply) => "refused" in reply).map(refusedCode)).toContain("cross_shard");
      expect(await transact(bed, {})).toMatchObject({ outcome: "ok", revision: 0 });
    }));

  it("TX6 the log is trimmed and paged by whole transactions", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql, { logMaxEntries: 10 }).create();
      const keys = Array.from({ length: 40 }, (_, n) => `{a}${n}`);
      for (let i = 0; i < 30; i++) await transact(bed, { success: keys.map((key) => set(key, `${i}`)) });
      const { epoch } = await bed.read();
      const page = async (since: number, limit: number) =>
        expectReply(await bed.shard.changes({ ...bed.scope(), epoch, since, limit }));
      const first = await page(0, 1);
      expect(first.changes.map(({ revision, key }) => [revision, key])).toEqual(keys.map((key) => [1, key]));
      expect(first.to).toBe(1);
      expect((await page(0, 41)).changes).toHaveLength(80);
      expect((await page(0, 41)).to).toBe(2);
      expect((await page(28, 100)).to).toBe(30);
      bed.nowMs += 86_400_000;
      while (bed.alarmMs !== undefined && bed.alarmMs <= bed.nowMs) {
        bed.alarmMs = undefined;
        await bed.shard.onAlarm();
      }
      const left = sql.all<{ revision: number; n: number }>(
        "SELECT revision, count(*) AS n FROM log GROUP BY revision ORDER BY revision",
      );
      expect(left).toEqual([{ revision: 30, n: 40 }]);
      expect((await page(0, 1)).gap).toBe("compacted");
      bed.restart();
      expect(await transact(bed, { success: [set("{a}1")] })).toMatchObject({ revision: 31 });
    }));

  it("TX1 a preview tells how a transaction would end, and leaves nothing behind", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql, { statics }).create();
      await bed.set("{a}1", "1");
      await bed.set("{a}due", "1", { expiresInMs: 1 });
      bed.nowMs += 1;
      const before = dump(sql, "keys", "log", "history", "verdicts");
      const { transactor } = bed.ledger();
      const preview = (parts: Partial<Transaction>) =>
        transactor.preview({ opId: bed.opId(), compare: [], success: [], failure: [], ...parts }, bed.nowMs);
      const success = [set("{a}1"), { kind: "get", key: "{a}1" }, { kind: "delete", key: "{a}due" }] as const;
      expect(preview({ success })).toEqual({ keys: ["{a}1"] });
      expect(
        preview({ compare: [{ key: "{a}due", exists: true }], success, failure: [set("{a}2")] }),
      ).toEqual({
        keys: ["{a}2"],
      });
      expect(preview({ success: [{ ...set("{a}1"), when: { noneOf: "*" } }] })).toMatchObject({
        verdict: { error: { code: "precondition_failed" } },
      });
      expect(preview({ success: success.slice(1) })).toMatchObject({
        verdict: { outcome: "ok", revision: 0, results: [{ entry: { version: 1 } }, { existed: false }] },
      });
      expect(dump(sql, "keys", "log", "history", "verdicts")).toEqual(before);
    }));
});

import { describe, expect, test } from "vitest";
import { host } from "#host";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { maxLogValueBytes } from "../../src/runtime/limits.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { migrate } from "../../src/shard/schema.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { ShardBed } from "../support/shard-bed.ts";

/** All entries as `revision kind key value`; `-`: there is none. */
function entries(bed: ShardBed): string[] {
  const { written } = bed.shard.watching.log;
  const page = bed.shard.watching.log.page(0, written.revision);
  return (page?.heads ?? []).map((head) => {
    const payload = bed.shard.watching.log.payload(head);
    return `${head.revision} ${head.kind} ${head.key} ${payload === undefined ? "-" : fromUtf8(payload.bytes)}`;
  });
}

const withBed = (work: (bed: ShardBed) => Promise<void>, options: Partial<ShardOptions> = {}) =>
  host.withSql(async (sql) => work(await new ShardBed(sql, options).create()));

/** Which revisions have a value. */
const kept = (sql: Sql) =>
  sql
    .all<{ revision: number }>("SELECT revision FROM log WHERE value IS NOT NULL")
    .map((row) => row.revision);

describe("values in the log", () => {
  test("a superseded value is found for as long as its entry is there, also by the next instance", () =>
    withBed(async (bed) => {
      await bed.set("a", "one");
      await bed.set("a", "two");
      await bed.delete("a");
      const all = ["1 set a one", "2 set a two", "3 delete a -"];
      expect(entries(bed)).toEqual(all);
      bed.restart();
      expect(entries(bed)).toEqual(all);
    }));

  test("a large value is not kept twice: whoever watches reads the key", () =>
    withBed(async (bed) => {
      await bed.set("exact", "x".repeat(maxLogValueBytes));
      await bed.set("large", "x".repeat(maxLogValueBytes + 1));
      expect(entries(bed).map((entry) => entry.slice(0, 12))).toEqual(["1 set exact ", "2 set large "]);
      expect(kept(bed.sql)).toEqual([1]);
      expect(bed.shard.watching.log.page(0, 2)?.heads[1]?.contentType).toBe("text/plain");
    }));

  test("beyond their bytes the oldest values go, and their entries stay", () =>
    withBed(
      async (bed) => {
        for (let at = 1; at <= 10; at++) await bed.set(`k${at}`, "x".repeat(100));
        // Younger than a minute: up to twice as much.
        expect(kept(bed.sql)).toEqual([4, 5, 6, 7, 8, 9, 10].slice(-6));
        bed.nowMs += 60_000;
        await bed.delete("k1");
        expect(kept(bed.sql)).toEqual([8, 9, 10]);
        expect(entries(bed)).toHaveLength(11);
        bed.restart();
        await bed.set("k11", "x".repeat(100));
        bed.nowMs += 60_000;
        await bed.delete("k2");
        expect(kept(bed.sql)).toEqual([9, 10, 12]);
      },
      { logMaxBytes: 300 },
    ));

  test("what is undone is not counted", () =>
    withBed(
      async (bed) => {
        await bed.set("a", "x".repeat(100));
        for (let at = 0; at < 5; at++) {
          expect(() =>
            bed.sql.transaction(() => {
              bed.ledger().log.append({
                kind: "set",
                key: "b",
                version: 2,
                existed: false,
                atMs: 1,
                payload: { bytes: utf8("x".repeat(100)), contentType: "text/plain" },
              });
              throw new Error("undone");
            }),
          ).toThrow("undone");
        }
        bed.restart();
        bed.nowMs += 60_000;
        for (const key of ["c", "d"]) await bed.set(key, "x".repeat(100));
        expect(kept(bed.sql)).toEqual([1, 2, 3]);
      },
      { logMaxBytes: 300 },
    ));

  test("a log from before there were values has none", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create();
      await bed.set("a", "1");
      // As an older Warp left it.
      for (const table of ["subscriptions", "spent_tokens", "outbox", "invalidated"])
        sql.run(`DROP TABLE ${table}`);
      for (const column of ["away", "source", "checked"]) sql.run(`ALTER TABLE keys DROP COLUMN ${column}`);
      for (const column of ["value", "content_type", "total"])
        sql.run(`ALTER TABLE log DROP COLUMN ${column}`);
      sql.run("UPDATE meta SET value = ? WHERE name = 'schema'", 6);
      migrate(sql);
      bed.restart();
      await bed.set("b", "2");
      expect(entries(bed)).toEqual(["1 set a -", "2 set b 2"]);
    }));
});

describe("publications", () => {
  const publish = async (bed: ShardBed, target: { key: string } | { prefix: string }, opId = bed.opId()) =>
    bed.shard.publish({
      ...bed.scope(),
      opId,
      target,
      payload: { bytes: utf8("hello"), contentType: "text/plain" },
      retained: true,
    });

  test("WB-01 a retained one has a revision of its own; a repeat is answered as before, and nodes hear nothing of it", () =>
    withBed(async (bed) => {
      await bed.set("a", "1");
      const opId = bed.opId();
      expect(await publish(bed, { key: "a" }, opId)).toMatchObject({
        verdict: { outcome: "ok", revision: 2 },
      });
      expect(await publish(bed, { key: "a" }, opId)).toMatchObject({
        verdict: { outcome: "ok", revision: 2 },
      });
      expect(await publish(bed, { key: "b" }, opId)).toMatchObject({
        verdict: { outcome: "fail", error: { code: "op_id_reused" } },
      });
      await publish(bed, { prefix: "" });
      expect(entries(bed)).toEqual(["1 set a 1", "2 publish a hello", "3 publishPrefix  hello"]);
      const { epoch } = bed.shard.watching.log.written;
      const changes = await bed.shard.changes({ ...bed.scope(), epoch, since: 0, limit: 10 });
      expect(changes).toMatchObject({ to: 3, changes: [{ revision: 1, kind: "set", key: "a" }] });
      expect(await bed.text("a")).toBe("1");
    }));

  test("what is malformed, too large or too old is refused", () =>
    withBed(async (bed) => {
      expect(await publish(bed, { key: "" })).toMatchObject({ refused: { code: "invalid_key" } });
      const large = { bytes: new Uint8Array(65_537), contentType: "text/plain" };
      const request = {
        ...bed.scope(),
        opId: bed.opId(),
        target: { key: "a" },
        payload: large,
        retained: true,
      };
      expect(await bed.shard.publish(request)).toMatchObject({ refused: { code: "value_too_large" } });
      const opId = bed.opId();
      bed.nowMs += 300_001;
      expect(await publish(bed, { key: "a" }, opId)).toMatchObject({ refused: { code: "op_id_expired" } });
    }));
});

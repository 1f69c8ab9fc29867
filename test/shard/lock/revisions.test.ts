import { describe, expect, test } from "vitest";
import { host } from "#host";
import { migrate, migrations } from "../../../src/shard/schema.ts";
import { LockShard } from "../../support/lock-shard.ts";
import { expectReply } from "../../support/shard-bed.ts";

function withLocks(work: (locks: LockShard) => Promise<void>): Promise<void> {
  return host.withSql(async (sql) => work(await new LockShard(sql).create()));
}

const since = async (locks: LockShard, revision: number) => {
  const { epoch } = await locks.bed.read();
  const request = { ...locks.bed.scope(), epoch, since: revision, limit: 100 };
  return expectReply(await locks.bed.shard.changes(request));
};

describe("the log and the revisions that locks take", () => {
  test("SB2 entries after a revision without one are told, also by the next instance", () =>
    withLocks(async (locks) => {
      for (let at = 0; at < 5; at++) await locks.hold(`n${at}`, "a");
      await locks.bed.set("k", "1");
      for (const restarts of [0, 1]) {
        for (let at = 0; at < restarts; at++) locks.bed.restart();
        for (const after of [0, 3, 5]) {
          expect(await since(locks, after)).toMatchObject({ to: 6, changes: [{ revision: 6, key: "k" }] });
        }
        expect((await since(locks, 3)).gap).toBeUndefined();
      }
    }));

  test("SB2 what was trimmed is told as a gap, by the next instance too", () =>
    withLocks(async (locks) => {
      await locks.bed.set("old", "1");
      await locks.hold("n", "a");
      await locks.clock.advance(86_400_000);
      await locks.bed.set("new", "1");
      await locks.bed.shard.onAlarm();
      locks.bed.restart();
      expect(await since(locks, 0)).toMatchObject({ gap: "compacted" });
      expect((await since(locks, 1)).gap).toBeUndefined();
    }));

  test("the newest entry stays and asks for no alarm, however far revisions have gone on", () =>
    withLocks(async (locks) => {
      await locks.bed.set("k", "1");
      for (let at = 0; at < 5; at++) {
        const fence = await locks.hold("n", "a");
        await locks.one(locks.release("n", "a", fence));
      }
      // Verdicts, ended grants: what can go, goes.
      for (let day = 0; day < 3; day++) {
        await locks.clock.advance(86_400_000);
        await locks.bed.shard.onAlarm();
      }
      expect(locks.bed.sql.all("SELECT revision FROM log")).toEqual([{ revision: 1 }]);
      locks.bed.alarmMs = undefined;
      locks.bed.restart();
      await locks.bed.shard.onAlarm();
      expect(locks.bed.alarmMs).toBeUndefined();
    }));

  test("a log that was trimmed before there were locks keeps its floor", () =>
    host.withSql((sql) => {
      migrate(sql, migrations.slice(0, 4));
      const add = "INSERT INTO log VALUES (?, 0, 'set', x'6b', ?, 0, 0, NULL, NULL)";
      for (const revision of [50, 51]) sql.run(add, revision, revision);
      migrate(sql);
      expect(sql.all("SELECT value FROM meta WHERE name = 'floor'")).toEqual([{ value: 49 }]);
    }));
});

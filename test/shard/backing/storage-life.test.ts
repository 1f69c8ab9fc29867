import { describe, expect, it } from "vitest";
import { host } from "#host";
import { shardOf } from "../../../src/protocol/key.ts";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { BackedShard } from "../../support/backed-shard.ts";
import { expectReply, refusedCode } from "../../support/shard-bed.ts";
import { watched } from "../../support/strong-bed.ts";

/** An object of the platform reaches its own database only. */
const isAlone = host.name === "workerd";

const withDatabases = async (count: number, work: (sqls: readonly Sql[]) => Promise<void>): Promise<void> => {
  const open = (sqls: readonly Sql[]): Promise<void> =>
    sqls.length === count ? work(sqls) : host.withSql((sql) => open([...sqls, sql]));
  await open([]);
};

const errorOf = async ({ bed }: BackedShard) => expectReply(await bed.shard.usage(bed.scope())).outbox?.error;

describe("write: through", () => {
  it("waits until the storage has it", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create({ write: "through" });
      space.fail({ beforeMs: 50, afterMs: 50 });
      const write = watched(space.bed.set("a", "1"));
      await space.advance(150);
      expect(write.value).toBeUndefined();
      await space.advance(1_000);
      expect(write.value).toEqual({ outcome: "ok", version: 1, revision: 1, existed: false });
      expect(space.stored).toEqual({ a: "1@1" });
    }));

  it("says pending at the deadline, in every verdict of what is not there, and the storage has it later", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create({ write: "through", throughTimeoutMs: 500 });
      const { bed } = space;
      const first = watched(bed.set("a", "1"));
      await space.advance(10);
      expect(first.value).toMatchObject({ outcome: "ok" });
      space.faults = (call) => (call === "read" ? undefined : { lose: "before" });
      const startMs = space.clock.now();
      const payload = { bytes: new Uint8Array([1]), contentType: "t/p" };
      const write = watched(
        bed.mutate(
          { kind: "set", opId: bed.opId(), key: "b", payload },
          { kind: "set", opId: bed.opId(), key: "c", payload, when: { anyOf: "*" } },
          { kind: "invalidate", opId: bed.opId(), key: "a" },
        ),
      );
      const transaction = {
        opId: bed.opId(),
        compare: [],
        success: [{ kind: "set" as const, key: "d", payload }],
        failure: [],
      };
      const transact = watched(bed.shard.transact({ ...bed.scope(), transaction }));
      await space.advance(499);
      expect(write.value ?? transact.value).toBeUndefined();
      await space.advance(2);
      expect(space.clock.now() - startMs).toBe(501);
      const { verdicts = [] } = write.value ?? {};
      expect(verdicts[0]).toMatchObject({ outcome: "ok", storage: "pending" });
      expect(verdicts[1]).toMatchObject({ outcome: "fail" });
      expect(verdicts[2]).not.toHaveProperty("storage");
      expect(transact.value).toMatchObject({ verdict: { outcome: "ok", storage: "pending" } });
      space.fail();
      await space.advance(30_000);
      expect(Object.keys(space.stored)).toEqual(["a", "b", "d"]);
      // Who repeats it is told that it is there by now.
      expect(expectReply(await bed.shard.transact({ ...bed.scope(), transaction })).verdict).toEqual({
        outcome: "ok",
        succeeded: true,
        revision: expect.any(Number),
        results: expect.anything(),
        replayed: true,
      });
    }));

  it("never fails for the storage's sake, and does not wait for one that must be set right first", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create({ write: "through" });
      space.bed.restart({ backings: undefined as never });
      const refused = await space.bed.shard.mutate({
        ...space.bed.scope(),
        mutations: [{ kind: "delete", opId: space.bed.opId(), key: "a" }],
      });
      expect(refusedCode(refused)).toBe("misconfigured");
    }));
});

describe("whose the storage is", () => {
  it("AD3 a name that the deployment does not know is refused when the space is made, with those it knows", () =>
    host.withSql(async (sql) => {
      const { bed } = new BackedShard(sql);
      const reply = await bed.shard.createSpace("test", { storage: { name: "other", write: "behind" } });
      expect(reply).toMatchObject({
        refused: { code: "invalid_argument", details: { field: "storage.name", known: ["memory"] } },
      });
    }));

  it.each([
    ["throughTimeoutMs", 9],
    ["throughTimeoutMs", 30_001],
    ["throughTimeoutMs", 10.5],
    ["keepBytes", -1],
    ["keepBytes", 10_000_000_001],
  ])("SE3 %s %d is out of range", (field, value) =>
    host.withSql(async (sql) => {
      const { bed } = new BackedShard(sql);
      const storage = { name: "memory", write: "behind" as const, [field]: value };
      expect(refusedCode(await bed.shard.createSpace("test", { storage }))).toBe("invalid_argument");
    }),
  );

  it("is fixed with the space: the same settings confirm it, others conflict", () =>
    host.withSql(async (sql) => {
      const { bed } = await new BackedShard(sql).create();
      const create = (storage: object) => bed.shard.createSpace("test", storage);
      expect(await create({})).toMatchObject({ created: false });
      expect(await create({ storage: { name: "memory", write: "behind" } })).toMatchObject({
        created: false,
      });
      const other = await create({ storage: { name: "memory", write: "through" } });
      expect(refusedCode(other)).toBe("space_conflict");
    }));

  it.skipIf(isAlone)(
    "AD2 a space that is made anew over what an earlier Warp wrote takes the storage over, and its keys stay",
    () =>
      withDatabases(2, async ([one, two]) => {
        if (one === undefined || two === undefined) throw new Error("two databases");
        const before = await new BackedShard(one).create();
        await before.bed.set("a", "1");
        await before.bed.set("b", "1");
        await before.advance(100);
        const after = await new BackedShard(two, {}, undefined, before, 2).create();
        await after.bed.set("b", "2");
        await after.advance(100);
        expect(after.stored).toEqual({ a: "1@1", b: "2@1" });
        expect(await after.bed.text("a")).toBe("1");
        // The earlier one, should it live on, is told and stops: nothing of it lands any more.
        const { epoch } = await before.bed.read();
        await before.bed.set("a", "stale");
        await before.advance(100);
        expect(before.stored.a).toBe("1@1");
        expect(await errorOf(before)).toMatchObject({ code: "misconfigured", retryable: false });
        await before.advance(120_000);
        expect(before.stored.a).toBe("1@1");
        expect((await before.bed.read()).epoch).toBe(epoch);
        const ahead = { ...before.bed.scope(), epoch, since: 99, limit: 10 };
        expect(expectReply(await before.bed.shard.changes(ahead)).gap).toBe("epoch");
        await before.advance(120_000);
        expect(before.stored.a).toBe("1@1");
        expect(await errorOf(before)).toMatchObject({ code: "misconfigured" });
        expect(await errorOf(after)).toBeUndefined();
      }),
  );

  it.skipIf(isAlone)(
    "AD2 who has lost the storage to another deployment leaves it what is there when its space is deleted",
    () =>
      withDatabases(2, async ([one, two]) => {
        if (one === undefined || two === undefined) throw new Error("two databases");
        const before = await new BackedShard(one).create();
        await before.bed.set("a", "1");
        await before.advance(100);
        const after = await new BackedShard(two, {}, undefined, before, 2).create();
        await after.bed.set("b", "2");
        await after.advance(100);
        await before.bed.shard.deleteSpace("test", "begin");
        expect(await before.bed.shard.deleteSpace("test", "finish", before.bed.spaceId)).toEqual({
          deleted: true,
        });
        expect(after.stored).toEqual({ a: "1@1", b: "2@1" });
        // Nor does that take the place from which the other goes on.
        await after.bed.set("c", "3");
        await after.advance(100);
        expect(after.stored).toEqual({ a: "1@1", b: "2@1", c: "3@2" });
        expect(await errorOf(after)).toBeUndefined();
        await after.bed.shard.deleteSpace("test", "begin");
        expect(await after.bed.shard.deleteSpace("test", "finish", after.bed.spaceId)).toEqual({
          deleted: true,
        });
        expect(after.stored).toEqual({});
      }),
  );

  it.skipIf(isAlone)("AD3 each shard of a space has a position of its own", () =>
    withDatabases(3, async (sqls) => {
      const [first, ...others] = sqls;
      if (first === undefined) throw new Error("no database");
      const home: BackedShard = new BackedShard(first);
      const space = await home.bed.shard.createSpace("test", {
        shards: 3,
        storage: { name: "memory", write: "behind" },
      });
      if (isRefusal(space)) throw new Error(space.refused.message);
      const shards = [
        home,
        ...others.map(
          (sql, at) => new BackedShard(sql, { home: () => home.bed.shard }, undefined, home, at + 2),
        ),
      ];
      const all = shards.map(({ bed }, shard) => {
        bed.spaceId = space.space.id;
        return { bed, scope: { ...bed.scope(shard) } };
      });
      const names = Array.from({ length: 30 }, (_, i) => `k${i}`);
      for (const key of names) {
        const at = all[shardOf(key, 3)];
        if (at === undefined) throw new Error("no shard");
        const payload = { bytes: new Uint8Array([1]), contentType: "t/p" };
        expectReply(
          await at.bed.shard.mutate({
            ...at.scope,
            mutations: [{ kind: "set", opId: at.bed.opId(), key, payload }],
          }),
        );
      }
      await home.clock.advance(1_000);
      expect(Object.keys(home.stored).sort()).toEqual([...names].sort());
      const positions = [0, 1, 2].map((shard) => home.storage.position(shard)?.revision ?? 0);
      expect(positions.every((revision) => revision > 0)).toBe(true);
      expect(positions.reduce((sum, one) => sum + one, 0)).toBe(30);
    }),
  );

  it("a new epoch takes everything along", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed } = space;
      for (let i = 0; i < 5; i++) await bed.set(`k${i}`, "1");
      await space.advance(100);
      const { epoch } = await bed.read();
      const ahead = { ...bed.scope(), epoch, since: 99, limit: 10 };
      expect(expectReply(await bed.shard.changes(ahead)).gap).toBe("epoch");
      await space.advance(1_000);
      const renewed = (await bed.read()).epoch;
      expect(renewed).not.toBe(epoch);
      expect(space.storage.entries().map(({ stamp }) => stamp?.epoch)).toEqual(Array(5).fill(renewed));
      await bed.set("k0", "2");
      await space.advance(100);
      expect(space.stored.k0).toBe("2@6");
    }));

  it("what the deployment does not know any more is told, and what is here stays", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed } = space;
      await bed.set("a", "1");
      await space.advance(100);
      const { brokenBacking, openBehind } = await import("../../../src/shard/backing/behind.ts");
      bed.restart({
        backings: {
          names: [],
          load: async () => ({ openBehind, brokenBacking }),
          open: () => {
            throw new Error("nobody asks for it");
          },
        },
      });
      expect(await bed.text("a")).toBe("1");
      expect((await bed.set("a", "2")).outcome).toBe("ok");
      await space.advance(1_000);
      expect(await errorOf(space)).toMatchObject({ code: "misconfigured" });
      expect(expectReply(await bed.shard.usage(bed.scope())).outbox).toMatchObject({ entries: 1 });
    }));
});

describe("a storage that has lost what it had confirmed", () => {
  it("gets it again, deletions too, and that is told", () =>
    host.withSql(async (sql) => {
      const told: string[] = [];
      const space = await new BackedShard(sql, { report: (message) => void told.push(message) }).create();
      const { bed, storage } = space;
      for (const key of ["a", "b", "c"]) {
        await bed.set(key, "1");
        await space.advance(100);
      }
      await bed.delete("a");
      await space.advance(100);
      await bed.set("b", "2");
      await space.advance(100);
      expect(storage.forgetTail(3)).toBe(3);
      expect(space.stored).toEqual({ a: "1@1", b: "1@2" });
      await bed.set("d", "1");
      await space.advance(1_000);
      expect(space.stored).toEqual({ b: "2@5", c: "1@3", d: "1@6" });
      expect(expectReply(await bed.shard.usage(bed.scope())).outbox).toMatchObject({ losses: 1 });
      expect(told).toEqual([
        "the storage behind a shard has lost what it had confirmed; it goes there again",
      ]);
    }));

  it.each(["its newest batches", "everything"])(
    "gets all keys where the log does not reach back: %s",
    (what) =>
      host.withSql(async (sql) => {
        const space = await new BackedShard(sql).create();
        const { bed, storage } = space;
        for (let i = 0; i < 1_200; i++) await bed.set(`k${i}`, "old");
        await space.advance(1_000);
        await bed.delete("k0");
        await bed.set("k1", "new");
        await space.advance(100);
        // The log keeps a day.
        await space.clock.advance(90_000_000);
        bed.nowMs = space.clock.now();
        await bed.shard.onAlarm();
        await bed.shard.onAlarm();
        await bed.set("last", "1");
        await space.advance(100);
        expect(expectReply(await bed.shard.usage(bed.scope())).logFloor).toBeGreaterThan(1_200);
        if (what === "everything") while (!storage.clear());
        else storage.forgetTail(4);
        await bed.set("k2", "newest");
        const mutations = [
          {
            kind: "set" as const,
            opId: bed.opId(),
            key: "k3",
            payload: { bytes: new Uint8Array([1]), contentType: "t/p" },
          },
        ];
        const write = bed.shard.mutate({ ...bed.scope(), mutations });
        await space.advance(2_000);
        expectReply(await write);
        const { k0, ...stored } = space.stored;
        expect(Object.keys(stored)).toHaveLength(1_200);
        expect(stored).toMatchObject({
          k1: "new@1202",
          k2: "newest@1204",
          last: "1@1203",
          k1199: "old@1200",
        });
        // Deletions that the log does not tell any more: no reader of the shard sees what came back.
        if (k0 !== undefined) expect(await bed.text("k0")).toBeUndefined();
        await space.advance(1_000);
        expect(space.stored).not.toHaveProperty("k0");
      }),
  );
});

describe("the end of a space", () => {
  it("takes all that it has in the storage along, and what is still on its way does not come back", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed } = space;
      for (let i = 0; i < 700; i++) await bed.set(`k${i}`, "1");
      await space.advance(1_000);
      // A batch goes and comes again much later.
      space.fail({ copyAfterMs: 5_000, lose: "before" });
      await bed.set("late", "1");
      await space.advance(1_000);
      space.fail();
      await bed.shard.deleteSpace("test", "begin");
      expect(await bed.shard.deleteSpace("test", "finish", bed.spaceId)).toEqual({ deleted: true });
      expect(space.stored).toEqual({});
      expect(space.storage.position(0)).toBeNull();
      await space.clock.advance(60_000);
      expect(space.stored).toEqual({});
      expect(bed.sql.all("SELECT name FROM sqlite_master WHERE name = 'outbox'")).toEqual([]);
      // Its next life begins over nothing.
      await space.create();
      bed.nowMs = space.clock.now();
      await bed.set("a", "2");
      await space.advance(100);
      expect(space.stored).toEqual({ a: "2@1" });
    }));

  it("leaves no place for a batch that arrives while it is cleared", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed, storage } = space;
      for (let i = 0; i < 3; i++) await bed.set(`k${i}`, "1");
      await space.advance(1_000);
      space.fail({ copyAfterMs: 5_000, lose: "before" });
      await bed.set("late", "1");
      await space.advance(10);
      // As one that looks for keys once, and is slow.
      const keys = storage.entries().map(({ key }) => key);
      storage.clear = () => {
        for (const key of keys.splice(0, 1)) storage.remove(key);
        return keys.length === 0;
      };
      space.faults = (call) => (call === "clear" ? { beforeMs: 3_000 } : undefined);
      await bed.shard.deleteSpace("test", "begin");
      const deleted = watched(bed.shard.deleteSpace("test", "finish", bed.spaceId));
      await space.clock.advance(20_000);
      expect(deleted.value).toEqual({ deleted: true });
      expect(space.stored).toEqual({});
    }));

  it("waits for a storage that can't be reached: it is refused, the space stays deleting, and the call can be repeated", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed } = space;
      await bed.set("a", "1");
      await space.advance(100);
      await bed.shard.deleteSpace("test", "begin");
      space.fail({ lose: "before" });
      const finish = () => bed.shard.deleteSpace("test", "finish", bed.spaceId);
      expect(refusedCode(await finish())).toBe("storage_unavailable");
      expect(refusedCode(await bed.shard.getSpace("test"))).toBe("space_deleting");
      expect(space.stored).toEqual({ a: "1@1" });
      space.fail();
      expect(await finish()).toEqual({ deleted: true });
      expect(space.stored).toEqual({});
    }));
});

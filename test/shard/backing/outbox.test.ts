import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { StoredRegistration } from "../../../src/protocol/registration.ts";
import type { StorageSettings } from "../../../src/protocol/space.ts";
import { fromUtf8, utf8 } from "../../../src/runtime/bytes.ts";
import type { ShardOptions } from "../../../src/shard/shard.ts";
import { BackedShard } from "../../support/backed-shard.ts";
import { FakeMembers } from "../../support/fake-members.ts";
import { expectReply } from "../../support/shard-bed.ts";
import { strongKeys } from "../../support/strong-bed.ts";

const backed = (
  work: (it: BackedShard) => Promise<void>,
  options: Partial<ShardOptions> = {},
  storage: Partial<StorageSettings> = {},
) => host.withSql(async (sql) => await work(await new BackedShard(sql, options).create(storage)));

const keeping: StoredRegistration = {
  pattern: "h*",
  settings: {
    mode: "eventual",
    cacheTtlMs: 1_000,
    maxStalenessMs: 1_000,
    history: { versions: 5, ageMs: 60_000 },
  },
  version: 0,
  source: "static",
};
const summed: StoredRegistration = {
  pattern: "n*",
  settings: { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, merge: "sum" },
  version: 0,
  source: "static",
};

/** What the shard holds, as `BackedShard.stored` shows it. */
async function held({ bed }: BackedShard): Promise<Record<string, string>> {
  const { items } = expectReply(
    await bed.shard.list({ ...bed.scope(), prefix: "", limit: 1_000, values: true }),
  );
  return Object.fromEntries(
    items.map(({ key, version, payload }) => [key, `${payload && fromUtf8(payload.bytes)}@${version}`]),
  );
}

async function usage({ bed }: BackedShard) {
  return expectReply(await bed.shard.usage(bed.scope())).outbox;
}

describe("an alarm that is lost", () => {
  it.each(["usage", "read"] as const)("AD4 %s of the shard carries on what it was for", (call) =>
    backed(async (space) => {
      const { bed, clock } = space;
      space.fail({ lose: "before" });
      await bed.set("a", "1");
      await clock.advance(20);
      expect((await usage(space))?.error?.code).toBe("storage_unavailable");
      space.fail();
      bed.alarmMs = undefined;
      await clock.advance(60_000);
      expect(space.stored).toEqual({});
      if (call === "usage") await usage(space);
      else await bed.read("a");
      await clock.advance(20);
      expect(space.stored).toEqual({ a: "1@1" });
    }),
  );
});

describe("what a commit leaves in the outbox", () => {
  it("AD1 sets, deletions, merges, restored versions and transactions reach the storage, at their versions", () =>
    backed(
      async (space) => {
        const { bed } = space;
        await bed.set("a", "1", { tags: ["t"] });
        await bed.set("b", "2");
        await bed.set("h", "old");
        await bed.set("h", "new");
        await bed.delete("b");
        const json = { bytes: utf8("5"), contentType: "application/json" };
        await bed.mutate({ kind: "merge", opId: bed.opId(), key: "n", operand: json });
        await bed.mutate({ kind: "merge", opId: bed.opId(), key: "n", operand: json });
        await bed.mutate({ kind: "restore", opId: bed.opId(), key: "h", version: 3 });
        const part = (key: string) => ({ kind: "set" as const, key, payload: json });
        const transaction = {
          opId: bed.opId(),
          compare: [{ key: "a", exists: true }],
          success: [part("x"), part("y"), { kind: "delete" as const, key: "a" }],
          failure: [],
        };
        expectReply(await bed.shard.transact({ ...bed.scope(), transaction }));
        await space.advance(100);
        expect(space.stored).toEqual(await held(space));
        expect(space.stored).toEqual({ h: "old@8", n: "10@7", x: "5@9", y: "5@9" });
        expect(await usage(space)).toEqual({ entries: 0, bytes: 0, lagMs: 0 });
      },
      { statics: [keeping, summed] },
    ));

  it("AD1 type, tags, times and the end of a life go along, and the end is told when it comes", () =>
    backed(async (space) => {
      const { bed } = space;
      await bed.set("a", "1", { tags: ["s", "t"], expiresInMs: 1_000 });
      await space.advance(10);
      const atMs = space.clock.now() - 10;
      expect(space.storage.entries()).toMatchObject([
        {
          key: "a",
          payload: { contentType: "text/plain" },
          tags: ["s", "t"],
          modifiedAtMs: atMs,
          expiresAtMs: atMs + 1_000,
        },
      ]);
      await space.advance(5_000);
      expect(space.storage.entries()).toEqual([]);
    }));

  it("nothing of what was refused or tried out, and nothing of invalidations", () =>
    backed(async (space) => {
      const { bed } = space;
      await bed.set("a", "1");
      await bed.set("a", "2", { when: { noneOf: "*" } });
      await bed.delete("absent");
      await bed.mutate({ kind: "invalidate", opId: bed.opId(), key: "a" });
      await bed.mutate({ kind: "invalidatePrefix", opId: bed.opId(), prefix: "" });
      // A deletion may be of what only the storage has.
      const rows = bed.sql.all("SELECT revision, version FROM outbox WHERE version > 0");
      expect(rows).toEqual([{ revision: 1, version: 1 }]);
      expect(await usage(space)).toMatchObject({ entries: 2 });
    }));

  it("ST2 strong writes reach it once they have committed, not when they are tried or aborted", () =>
    backed(
      async (space) => {
        const { bed } = space;
        const members = new FakeMembers();
        const leases = bed.shard.serve(members);
        await bed.set("s", "old");
        members.join("one", {});
        await leases.grant("one");
        const read = { ...bed.scope(), keys: ["s"], strong: true, hold: true } as const;
        expect(expectReply(await bed.shard.read(read, "one")).held).toEqual([0]);
        const write = bed.set("s", "new");
        await space.advance(100);
        expect(space.stored).toEqual({ s: "old@1" });
        members.acknowledge("one");
        await write;
        await space.advance(100);
        expect(space.stored).toEqual(await held(space));
        expect(space.stored.s).toMatch(/^new@/);
      },
      { statics: [strongKeys("s*")] },
    ));

  it("LS4 the end of a lease takes its keys out of the storage, too", () =>
    host.withSql(async (sql) => {
      const space: BackedShard = new BackedShard(sql, { peer: () => space.bed.shard.leases });
      await space.create();
      const { bed } = space;
      const id = "lease0123456789a";
      const grant = { kind: "grant" as const, opId: bed.opId(), id, ttlMs: 1_000, onEnd: "delete" as const };
      expectReply(await bed.shard.lease({ ...bed.scope(), commands: [grant] }));
      await bed.set("a", "1", { lease: id });
      await bed.set("b", "2");
      await space.advance(100);
      expect(Object.keys(space.stored)).toEqual(["a", "b"]);
      await space.advance(10_000);
      expect(Object.keys(space.stored)).toEqual(["b"]);
      expect(space.stored).toEqual(await held(space));
    }));

  it("costs a space without a storage no row", () =>
    host.withSql(async (sql) => {
      const { bed } = new BackedShard(sql);
      await bed.create();
      await bed.set("a", "1");
      expect(sql.all("SELECT revision FROM outbox")).toEqual([]);
    }));
});

describe("how the outbox is carried", () => {
  it("AD4 what fails is tried again by the alarm, after longer and longer waits, and shows until then", () =>
    backed(async (space) => {
      const { bed } = space;
      const tries: number[] = [];
      space.faults = (call) => {
        if (call === "position") tries.push(space.clock.now());
        return { lose: "before" };
      };
      await bed.set("a", "1");
      await space.advance(120_000);
      const waits = tries.map((at, i) => at - (tries[i - 1] ?? at)).slice(1);
      expect(waits.length).toBeGreaterThan(8);
      expect(waits[0]).toBeLessThanOrEqual(101);
      expect(Math.max(...waits)).toBeLessThanOrEqual(30_001);
      expect(Math.max(...waits)).toBeGreaterThan(14_000);
      expect(await usage(space)).toMatchObject({
        entries: 1,
        bytes: 2,
        lagMs: 120_000,
        error: { code: "storage_unavailable" },
      });
      space.fail();
      await space.advance(30_000);
      expect(space.stored).toEqual({ a: "1@1" });
      expect(await usage(space)).toEqual({ entries: 0, bytes: 0, lagMs: 0 });
    }));

  it("AD5 500 keys go in one batch; what is more than a batch in several, a transaction in one piece", () =>
    backed(async (space) => {
      const { bed } = space;
      const applied: number[] = [];
      const { storage } = space;
      const apply = storage.apply.bind(storage);
      storage.apply = (batch) => {
        applied.push(batch.changes.length);
        return apply(batch);
      };
      space.fail({ lose: "before" });
      const set = (key: string) => ({
        kind: "set" as const,
        opId: bed.opId(),
        key,
        payload: { bytes: utf8("x"), contentType: "t/p" },
      });
      await bed.mutate(...Array.from({ length: 495 }, (_, i) => set(`k${i}`.padEnd(512, "k"))));
      const parts = Array.from({ length: 10 }, (_, i) => i).map((i) => {
        const { kind, key, payload } = set(`p${i}`);
        return { kind, key, payload };
      });
      const transaction = { opId: bed.opId(), compare: [], success: parts, failure: [] };
      expectReply(await bed.shard.transact({ ...bed.scope(), transaction }));
      await space.advance(1_000);
      space.fail();
      await space.advance(60_000);
      expect(applied).toEqual([495, 10]);
      expect(Object.keys(space.stored)).toHaveLength(505);
    }));

  it("a value at the limit goes by itself where the storage takes no more at a time", () =>
    host.withSql(async (sql) => {
      const space = new BackedShard(sql);
      space.maxBatchBytes = 1_100_000;
      await space.create();
      space.fail({ lose: "before" });
      const big = "x".repeat(1_048_576);
      for (const key of ["a", "b", "c"]) await space.bed.set(key, big);
      space.fail();
      await space.advance(60_000);
      expect(Object.keys(space.stored)).toEqual(["a", "b", "c"]);
    }));

  it("kill -9 with a full outbox: the next instance brings each entry once, in order, though nobody calls", () =>
    backed(async (space) => {
      const { bed } = space;
      const places: string[] = [];
      const { storage } = space;
      const apply = storage.apply.bind(storage);
      storage.apply = (batch) => {
        const verdict = apply(batch);
        if (verdict.state === "applied") places.push(...batch.changes.map(({ revision }) => `${revision}`));
        return verdict;
      };
      space.fail({ lose: "before" });
      for (let i = 0; i < 1_200; i++) await bed.set(`k${i % 7}`, `${i}`);
      space.clock.forget();
      bed.restart();
      space.fail();
      await space.advance(60_000);
      expect(places).toEqual(Array.from({ length: 1_200 }, (_, i) => `${i + 1}`));
      expect(space.stored).toEqual(await held(space));
    }));

  it("SE3 too much that waits: writes are refused, nothing is lost, and they go on below 90 %", () =>
    host.withSql(async (sql) => {
      const space = new BackedShard(sql, {}, { entries: 10, bytes: 1_000_000 });
      space.maxBatchBytes = 100;
      await space.create();
      const { bed } = space;
      space.fail({ lose: "before" });
      for (let i = 0; i < 11; i++) expect((await bed.set(`k${i}`, "1")).outcome).toBe("ok");
      const mutations = [{ kind: "delete" as const, opId: bed.opId(), key: "k1" }];
      const refused = await bed.shard.mutate({ ...bed.scope(), mutations });
      expect(refused).toMatchObject({
        refused: { code: "overloaded", outcome: "fail", retryable: true, retryAfterMs: 1_000 },
      });
      const transaction = { opId: bed.opId(), compare: [], success: [], failure: [] };
      expect(await bed.shard.transact({ ...bed.scope(), transaction })).toMatchObject({
        refused: { code: "overloaded" },
      });
      expect((await bed.read("k1")).entries[0]?.version).toBe(2);
      const batches = { left: 1 };
      space.faults = (call) => (call !== "apply" || batches.left-- > 0 ? undefined : { lose: "before" });
      await space.advance(1_000);
      expect(await usage(space)).toMatchObject({ entries: 10 });
      expect(await bed.shard.mutate({ ...bed.scope(), mutations })).toMatchObject({
        refused: { code: "overloaded" },
      });
      space.fail();
      await space.advance(60_000);
      expect((await bed.set("k1", "2")).outcome).toBe("ok");
      await space.advance(1_000);
      expect(space.stored).toEqual(await held(space));
    }));
});

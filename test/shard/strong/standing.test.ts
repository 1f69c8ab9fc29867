import { describe, expect, it } from "vitest";
import { host } from "#host";
import { barrierMs, maxLeaseHolders, nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { refusedCode } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys, verdictOf, watched } from "../../support/strong-bed.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const silentMs = barrierMs * 1.01;
const guardMs = (barrierMs + nodeLeaseMs) * 1.01;

function withBed(work: (bed: StrongBed) => Promise<void>): () => Promise<void> {
  const statics = [strongKeys("k*"), strongKeys("r*"), strongKeys("one")];
  return () => host.withSql(async (sql) => await work(await new StrongBed(sql, { statics }).create()));
}

const commits = (bed: StrongBed): number => bed.bed.shard.figures.commits;
const noted = (bed: StrongBed): unknown => {
  const [row] = bed.bed.sql.all("SELECT value FROM meta WHERE name = 'held'");
  return row === undefined ? undefined : JSON.parse(String(row.value));
};
/** How long a write takes on an idle shard, in steps of 10 ms. */
async function delayOf(bed: StrongBed, key: string): Promise<number> {
  const write = bed.set(key, "new");
  const start = bed.time.now();
  await bed.time.settle();
  while (write.value === undefined && bed.time.now() - start < 20_000) await bed.time.advance(10);
  expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
  return bed.time.now() - start;
}

describe("an instance answers strongly only while it is the authority", () => {
  it(
    "ST5 one row is written for all who wait, and none within 2 s of the last write's start",
    withBed(async (bed) => {
      await bed.set("k1", "x").promise;
      await bed.read(undefined, "k1");
      await bed.time.advance(barrierMs);
      const before = commits(bed);
      await Promise.all(Array.from({ length: 20 }, () => bed.read(undefined, "k1", "k2")));
      // The first begins one at once; all that come meanwhile share the next.
      expect(commits(bed) - before).toBeLessThanOrEqual(2);
      await bed.time.advance(barrierMs - 1);
      const then = commits(bed);
      await bed.read(undefined, "k1");
      expect(commits(bed)).toBe(then);
      await bed.time.advance(1);
      await bed.read(undefined, "k1");
      expect(commits(bed)).toBe(then + 1);
    }),
  );

  it(
    "ST5 time counts from the start of the commit: one that takes too long proves nothing",
    withBed(async (bed) => {
      await bed.set("k1", "x").promise;
      let slow = 2;
      const real = bed.sql.durable.bind(bed.sql);
      bed.sql.durable = async () => {
        await real();
        if (slow-- > 0) await new Promise<void>((resolve) => void bed.time.after(barrierMs, resolve));
      };
      await bed.time.advance(barrierMs);
      const read = watched(bed.read(undefined, "k1"));
      await bed.time.advance(barrierMs);
      expect(read.value).toBeUndefined();
      await bed.time.advance(barrierMs);
      expect(read.value?.entries[0]?.version).toBe(1);
    }),
  );

  it(
    "ST5 a storage that is too slow for ever is said so",
    withBed(async (bed) => {
      await bed.set("k1", "x").promise;
      bed.sql.durable = () => new Promise<void>((resolve) => void bed.time.after(barrierMs, resolve));
      await bed.time.advance(barrierMs);
      const request = { ...bed.bed.scope(), keys: ["k1"], strong: true } as const;
      const read = watched(bed.bed.shard.read(request));
      await bed.time.advance(barrierMs * 10);
      expect(refusedCode(read.value ?? {})).toBe("storage_timeout");
    }),
  );

  it(
    "ST5 a superseded instance falls silent: no strong answers and no leases once it can't commit",
    withBed(async (bed) => {
      await bed.set("k1", "x").promise;
      await bed.holder("a");
      await bed.read(undefined, "k1");
      const { shard } = bed.bed;
      const { leases } = bed;
      bed.sql.durable = () => new Promise<never>(() => {});
      const request = { ...bed.bed.scope(), keys: ["k1"], strong: true } as const;
      // It has not committed since: within the time that its successor waits it may still answer.
      expect(await shard.read(request)).toMatchObject({ entries: [{ version: 1 }] });
      await bed.time.advance(barrierMs);
      const read = watched(shard.read(request));
      const lease = watched(leases.grant("a"));
      const plain = await shard.read({ ...bed.bed.scope(), keys: ["k1"] });
      await bed.time.advance(60_000);
      expect(plain).toMatchObject({ entries: [{ version: 1 }] });
      expect([read.value, lease.value]).toEqual([undefined, undefined]);
    }),
  );

  it(
    "ST5 a commit that wrote nothing proves nothing",
    withBed(async (bed) => {
      const set = bed.setting("k1", "x");
      await bed.mutate([set]).promise;
      await bed.read(undefined, "k1");
      await bed.time.advance(barrierMs);
      await bed.mutate([set]).promise;
      const before = commits(bed);
      await bed.read(undefined, "k1");
      expect(commits(bed)).toBe(before + 1);
    }),
  );
});

describe("a successor", () => {
  it(
    "ST5 waits for the barrier and one lease with keys that may be held, and with no others",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.set("other", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      expect(noted(bed)).toEqual({ "k*": "hold" });
      bed.restart();
      expect(await delayOf(bed, "other")).toBe(0);
      expect(await delayOf(bed, "k2")).toBe(guardMs);
      expect(await delayOf(bed, "k1")).toBe(0);
    }),
  );

  it(
    "ST5 waits for the barrier alone where keys were only read: the instance before may go on answering",
    withBed(async (bed) => {
      await bed.set("r1", "old").promise;
      await bed.read(undefined, "r1");
      expect(noted(bed)).toEqual({ "r*": "read" });
      bed.restart();
      expect(await delayOf(bed, "r1")).toBe(silentMs);
    }),
  );

  it(
    "ST5 the notes are gone when nobody has held or read for a while, and then nothing waits",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      for (let ms = 0; ms < 12_000 && noted(bed) !== undefined; ms += 500) {
        await bed.time.advance(500);
        if ((bed.bed.alarmMs ?? Number.POSITIVE_INFINITY) <= bed.time.now()) {
          bed.bed.alarmMs = undefined;
          await bed.alarm();
        }
      }
      expect(noted(bed)).toBeUndefined();
      bed.restart();
      expect(await delayOf(bed, "k1")).toBe(0);
    }),
  );

  it(
    "ST5 notes stay while a lease runs, and come back before a lease is renewed",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      for (let ms = 0; ms < 20_000; ms += 1_000) {
        await bed.time.advance(1_000);
        await bed.leases.grant("a");
        await bed.alarm();
      }
      expect(noted(bed)).toEqual({ "k*": "hold" });
      await bed.time.advance(nodeLeaseMs * 2);
      await bed.alarm();
      expect(noted(bed)).toBeUndefined();
      // A lease is all that this shard still lacks to serve again what it held; the authority it has.
      await bed.set("other", "x").promise;
      expect(await bed.leases.grant("a")).toBe(nodeLeaseMs);
      expect(noted(bed)).toEqual({ "k*": "hold" });
    }),
  );

  it("ST5 notes stay while a lease runs, though the wall clock says that it is long over", () =>
    host.withSql(async (sql) => {
      const time = virtualClock();
      let aheadMs = 0;
      const clock = { now: () => time.now() + aheadMs };
      const statics = [strongKeys("k*")];
      const bed = await new StrongBed(sql, { statics, clock, elapsed: time }, time).create();
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      aheadMs = 3_600_000;
      await bed.alarm();
      expect(noted(bed)).toEqual({ "k*": "hold" });
    }));

  it(
    "ST5 notes that it finds stay until it has waited",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      bed.restart();
      await bed.time.advance(5_500);
      await bed.alarm();
      expect(noted(bed)).toEqual({ "k*": "hold" });
      bed.restart();
      expect(await delayOf(bed, "k1")).toBe(guardMs);
    }),
  );

  it(
    "ST5 invalidations of prefixes and tags wait for it, too",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      bed.restart();
      const waiting = [
        bed.mutate([{ kind: "invalidatePrefix", opId: bed.opId(), prefix: "" }]),
        bed.mutate([{ kind: "invalidatePrefix", opId: bed.opId(), prefix: "k12" }]),
        bed.mutate([{ kind: "invalidateTag", opId: bed.opId(), tag: "t" }]),
      ];
      const free = bed.mutate([{ kind: "invalidatePrefix", opId: bed.opId(), prefix: "z" }]);
      await bed.time.advance(guardMs - 1);
      expect(free.value).toBeDefined();
      expect(waiting.map(({ value }) => value)).toEqual([undefined, undefined, undefined]);
      await bed.time.advance(1);
      expect(waiting.map((write) => verdictOf(write)?.outcome)).toEqual(["ok", "ok", "ok"]);
    }),
  );

  it(
    "ST5 a session that it finds gets a lease only when it has dropped all that it had",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      bed.restart([{ session: "a" }]);
      const head = bed.bed.shard.figures.logHead;
      expect(await bed.leases.grant("a")).toBeUndefined();
      expect(bed.members.get("a")?.inbox.map(({ invalidation }) => invalidation)).toEqual([
        { revision: head + 1, keys: [], prefixes: [""], tags: [] },
      ]);
      expect(await bed.leases.grant("a")).toBeUndefined();
      expect(await bed.hold("a", "k1")).toBe(false);
      bed.members.acknowledge("a");
      expect(await bed.leases.grant("a")).toBe(nodeLeaseMs);
      expect(await bed.hold("a", "k1")).toBe(true);
      // Others may still hold what the instance before gave them.
      expect(await delayOf(bed, "k2")).toBe(guardMs);
    }),
  );

  it("ST5 many patterns are noted as one that says all", () =>
    host.withSql(async (sql) => {
      const keys = Array.from({ length: 65 }, (_, at) => `p${at}`);
      const statics = keys.map((key) => strongKeys(key));
      const bed = await new StrongBed(sql, { statics }).create();
      await bed.read(undefined, ...keys.slice(0, 64));
      expect(Object.keys(noted(bed) as object)).toHaveLength(64);
      await bed.read(undefined, ...keys.slice(64));
      expect(noted(bed)).toEqual({ "*": "read" });
      bed.restart();
      expect(await delayOf(bed, "anything")).toBe(silentMs);
    }));
});

describe("node leases", () => {
  it(
    "ST3 a shard has so many holders and no more; one that gives its lease back makes room",
    withBed(async (bed) => {
      for (let at = 0; at < maxLeaseHolders; at++) await bed.holder(`s${at}`);
      bed.members.join("more");
      expect(await bed.leases.grant("more")).toBeUndefined();
      expect(await bed.leases.grant("s3")).toBe(nodeLeaseMs);
      bed.leases.giveBack("s3");
      bed.members.close("s3");
      expect(await bed.leases.grant("more")).toBe(nodeLeaseMs);
    }),
  );

  it(
    "ST2 a session that lost its place drops all before it gets a lease again",
    withBed(async (bed) => {
      await bed.set("k1", "x").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      await bed.time.advance(nodeLeaseMs * 1.01);
      for (let at = 0; at < maxLeaseHolders; at++) await bed.holder(`s${at}`);
      // Its place went to another, so a write no longer tells it.
      await bed.set("k1", "y").promise;
      expect(bed.members.get("a")?.inbox).toEqual([]);
      bed.leases.giveBack("s0");
      expect(await bed.leases.grant("a")).toBeUndefined();
      expect(bed.members.get("a")?.inbox.map(({ invalidation }) => invalidation.prefixes)).toEqual([[""]]);
      bed.members.acknowledge("a");
      expect(await bed.leases.grant("a")).toBe(nodeLeaseMs);
    }),
  );

  it(
    "ST3 only a session with an open socket gets one",
    withBed(async (bed) => {
      expect(await bed.leases.grant("nobody")).toBeUndefined();
      await bed.holder("a");
      bed.members.close("a");
      expect(await bed.leases.grant("a")).toBeUndefined();
    }),
  );
});

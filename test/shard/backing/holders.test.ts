import { expect, it } from "vitest";
import { host } from "#host";
import { memoryBacking } from "../../../src/backing/memory/memory-backing.ts";
import { MemoryBackingStorage } from "../../../src/backing/memory/memory-backing-storage.ts";
import type { MemoryFaults } from "../../../src/backing/memory/memory-faults.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { memoryRegistry } from "../../support/backed-shard.ts";
import { StrongBed, strongKeys, verdictOf, watched } from "../../support/strong-bed.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { WatchBed } from "../../support/watch-bed.ts";

const theirs = { bytes: utf8("theirs"), contentType: "text/plain" };

/** A shard with strong keys that keeps no values, before a storage into which others write. */
const withStrong = (
  work: (bed: StrongBed, storage: MemoryBackingStorage, faults: { now: MemoryFaults }) => Promise<void>,
) =>
  host.withSql(async (sql) => {
    const clock = virtualClock(1_700_000_000_000);
    const storage = new MemoryBackingStorage();
    const faults: { now: MemoryFaults } = { now: () => undefined };
    const open = () => memoryBacking({ clock, timers: clock, storage, faults: (call) => faults.now(call) });
    const bed = new StrongBed(sql, { statics: [strongKeys("k*")], backings: memoryRegistry(open) }, clock);
    await bed.bed.create({ storage: { name: "memory", write: "behind", keepBytes: 0 } });
    await work(bed, storage, faults);
  });

it("ST2 what others wrote is adopted only when those who hold the key have dropped it", () =>
  withStrong(async (bed, storage) => {
    await bed.set("k1", "mine").promise;
    await bed.time.advance(10);
    await bed.holder("a");
    expect(await bed.hold("a", "k1")).toBe(true);
    await bed.time.advance(10);
    // The value is away, and its holder still serves it.
    storage.putPlain("k1", theirs);
    const read = watched(bed.read(undefined, "k1"));
    await bed.time.settle();
    expect(read.value).toBeUndefined();
    expect(bed.members.get("a")?.inbox[0]?.invalidation.keys).toEqual(["k1"]);
    bed.members.acknowledge("a");
    await bed.time.advance(10);
    expect(read.value?.entries[0]?.payload.bytes).toEqual(theirs.bytes);
    expect(read.value?.entries[0]?.version).toBe(read.value?.asOf);
  }));

it("ST2 what the storage has lost is deleted only when those who hold it have dropped it", () =>
  withStrong(async (bed, storage) => {
    await bed.set("k1", "mine").promise;
    await bed.time.advance(10);
    await bed.holder("a");
    await bed.hold("a", "k1");
    await bed.time.advance(10);
    storage.remove("k1");
    const read = watched(bed.read(undefined, "k1"));
    await bed.time.settle();
    expect(read.value).toBeUndefined();
    bed.members.acknowledge("a");
    await bed.time.advance(10);
    expect(read.value?.entries).toEqual([null]);
    expect(bed.log(1)).toEqual(["intent k1", "delete k1"]);
  }));

it("ST2 what comes back unchanged disturbs no holder", () =>
  withStrong(async (bed) => {
    await bed.set("k1", "mine").promise;
    await bed.time.advance(10);
    await bed.holder("a");
    await bed.hold("a", "k1");
    await bed.time.advance(10);
    const { entries } = await bed.read(undefined, "k1");
    expect(entries[0]?.version).toBe(1);
    expect(bed.members.get("a")?.inbox).toEqual([]);
  }));

it("ST2 a strong write keeps what it was judged by until it commits", () =>
  withStrong(async (bed, _, faults) => {
    await bed.set("k1", "mine").promise;
    await bed.time.advance(10);
    await bed.holder("a");
    await bed.hold("a", "k1");
    const etag = (await bed.read(undefined, "k1")).epoch;
    const transaction = {
      opId: bed.opId(),
      compare: [{ key: "k1", value: utf8("mine") }],
      success: [{ kind: "set" as const, key: "k1", payload: theirs }],
      failure: [],
    };
    const write = watched(bed.bed.shard.transact({ ...bed.bed.scope(), transaction }));
    await bed.time.settle();
    expect(bed.members.get("a")?.inbox).toHaveLength(1);
    // Nothing can be read any more, and others make the shard let go of what it can.
    faults.now = (call) => (call === "read" ? { lose: "before" } : undefined);
    await bed.set("other", "x").promise;
    await bed.time.advance(50);
    bed.members.acknowledge("a");
    await bed.time.advance(50);
    expect(write.value).toMatchObject({ verdict: { outcome: "ok", succeeded: true } });
    expect(etag).not.toBe("");
  }));

it("ST1 the end of a key whose value is away, and a write without a condition, need no storage", () =>
  withStrong(async (bed, _, faults) => {
    await bed.set("k1", "mine").promise;
    await bed.mutate([bed.setting("k2", "mine", { expiresInMs: 5_000 })]).promise;
    await bed.time.advance(10);
    faults.now = (call) => (call === "read" ? { beforeMs: 60_000 } : undefined);
    const write = bed.set("k1", "again");
    await bed.time.advance(10);
    expect(verdictOf(write)).toMatchObject({ outcome: "ok", existed: true });
    await bed.time.advance(5_000);
    await bed.alarm();
    expect(bed.log(2)).toEqual(["set k1", "expire k2"]);
  }));

it("WA7 a snapshot waits for values that are away, and tells what the storage has for a key that is asked for by name", () =>
  host.withSql(async (sql) => {
    const storage = new MemoryBackingStorage();
    const faults: { now: MemoryFaults } = { now: () => undefined };
    const clocks: { bed?: WatchBed } = {};
    const open = () => {
      const clock = clocks.bed?.clock ?? virtualClock();
      return memoryBacking({ clock, timers: clock, storage, faults: (call) => faults.now(call) });
    };
    const bed = new WatchBed(sql, { backings: memoryRegistry(open) });
    clocks.bed = bed;
    await bed.bed.create({ storage: { name: "memory", write: "behind", keepBytes: 0 } });
    for (const key of ["a", "b", "c"]) await bed.bed.set(key, key);
    await bed.clock.advance(100);
    faults.now = (call) => (call === "read" ? { lose: "before" } : undefined);
    const who = await bed.watcher();
    const watch = await bed.watch(who, 1, { target: { prefix: "" } }, "snapshot");
    await bed.clock.advance(500);
    expect(watch.isLive).toBe(false);
    faults.now = () => undefined;
    await bed.clock.advance(3_000);
    expect(watch.isLive).toBe(true);
    expect([...(watch.state ?? [])]).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    storage.putPlain("d", theirs);
    const named = await bed.watch(who, 2, { target: { key: "d" } }, "snapshot");
    await bed.clock.advance(3_000);
    expect(named.state?.size).toBe(1);
    expect(bed.reported).toEqual([]);
  }));

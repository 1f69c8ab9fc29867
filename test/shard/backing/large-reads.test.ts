import { expect, it } from "vitest";
import { host } from "#host";
import type { Backing } from "../../../src/backing/backing.ts";
import { memoryBacking } from "../../../src/backing/memory/memory-backing.ts";
import { MemoryBackingStorage } from "../../../src/backing/memory/memory-backing-storage.ts";
import { BackedShard, memoryRegistry } from "../../support/backed-shard.ts";
import { expectReply } from "../../support/shard-bed.ts";

const valueBytes = 1_048_576;
const mostBytes = 16 * valueBytes;

it.each(["let go of", "never seen"] as const)(
  "AD5 values at the limit that the shard has %s are read a few at a time: an object has no room for all of them",
  (how) =>
    host.withSql(async (sql) => {
      const storage = new MemoryBackingStorage();
      const reads: number[] = [];
      const observed = (space: BackedShard): Backing => {
        const { clock } = space;
        const backing = memoryBacking({ clock, timers: clock, storage });
        const { read } = backing;
        return Object.assign(backing, {
          read: async (...asked: Parameters<Backing["read"]>) => {
            const found = await read.apply(backing, asked);
            reads.push(found.reduce((sum, entry) => sum + (entry?.payload.bytes.length ?? 0), 0));
            return found;
          },
        });
      };
      const space: BackedShard = new BackedShard(sql, { backings: memoryRegistry(() => observed(space)) });
      await space.create({ keepBytes: 0 });
      const { bed } = space;
      const keys = Array.from({ length: 24 }, (_, n) => `k${String(n).padStart(2, "0")}`);
      const bytes = new Uint8Array(valueBytes);
      for (const key of keys) {
        if (how === "never seen") storage.putPlain(key, { bytes, contentType: "a/b" });
        else await bed.mutate({ kind: "set", opId: bed.opId(), key, payload: { bytes, contentType: "a/b" } });
      }
      await space.advance(5_000);
      expect(expectReply(await bed.shard.usage(bed.scope())).valueBytes).toBe(0);
      const { entries } = await bed.read(...keys);
      expect(entries.map((entry) => entry?.payload.bytes.length)).toEqual(entries.map(() => valueBytes));
      expect(entries.length).toBeGreaterThan(10);
      expect(Math.max(...reads)).toBeLessThanOrEqual(mostBytes);
      expect(reads.reduce((sum, count) => sum + count, 0)).toBe(keys.length * valueBytes);
    }),
);

it("small values that the shard has let go of are read many at a time", () =>
  host.withSql(async (sql) => {
    const space = await new BackedShard(sql).create({ keepBytes: 0 });
    const { bed } = space;
    const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
    for (const key of keys) await bed.set(key, "value");
    await space.advance(5_000);
    let reads = 0;
    space.faults = (call) => {
      if (call === "read") reads++;
      return undefined;
    };
    expect((await bed.read(...keys)).entries.every((entry) => entry !== null)).toBe(true);
    expect(reads).toBe(1);
  }));

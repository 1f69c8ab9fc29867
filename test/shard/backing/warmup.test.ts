import { describe, expect, it } from "vitest";
import { host } from "#host";
import { memoryBacking } from "../../../src/backing/memory/memory-backing.ts";
import { MemoryBackingStorage } from "../../../src/backing/memory/memory-backing-storage.ts";
import type { MemoryFaults } from "../../../src/backing/memory/memory-faults.ts";
import type { WarmupProgress } from "../../../src/core/types.ts";
import type { Warp } from "../../../src/core/warp.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { memoryRegistry } from "../../support/backed-shard.ts";
import { NodeBed } from "../../support/node-bed.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const json = (value: unknown) => ({ bytes: utf8(JSON.stringify(value)), contentType: "application/json" });

async function steps(warp: Warp, patterns: string[]): Promise<WarmupProgress[]> {
  const all: WarmupProgress[] = [];
  for await (const step of warp.warmup({ patterns })) all.push(step);
  return all;
}

/** Nodes over a shard with a storage behind it. */
const withNodes = (
  work: (bed: NodeBed, storage: MemoryBackingStorage, faults: { now: MemoryFaults }) => Promise<void>,
) =>
  host.withSql(async (sql) => {
    const clock = virtualClock();
    const storage = new MemoryBackingStorage();
    const faults: { now: MemoryFaults } = { now: () => undefined };
    const open = () => memoryBacking({ clock, timers: clock, storage, faults: (call) => faults.now(call) });
    const bed = new NodeBed(sql, {}, {}, { backings: memoryRegistry(open) }, { clock });
    await bed.bed.create({ storage: { name: "memory", write: "behind" } });
    await work(bed, storage, faults);
  });

describe("AD2 what an earlier Warp, or others, left in the storage", () => {
  for (const way of ["door", "socket"] as const) {
    it(`is read and listed after a warm-up, over a ${way}`, () =>
      withNodes(async (bed, storage) => {
        for (let n = 0; n < 1_200; n++) storage.putPlain(`user:${n}`, json(n));
        storage.putPlain("other", json("x"));
        const { warp } = way === "door" ? bed.door() : bed.node();
        await bed.clock.advance(50);
        const passing = async <T>(work: Promise<T>): Promise<T> => {
          await bed.clock.advance(5_000);
          return await work;
        };
        expect((await passing(warp.list({ prefix: "user:" }))).items).toEqual([]);
        expect((await passing(steps(warp, ["user:*"]))).at(-1)).toEqual({
          loaded: 1_200,
          failed: 0,
          total: 1_200,
          errors: [],
        });
        expect(warp.peek("user:7")).toBe(7);
        expect((await passing(warp.list({ limit: 1_000 }))).items).toHaveLength(1_000);
        const { keys } = await warpUsage(bed);
        expect(keys).toBe(1_200);
      }));
  }

  it("a storage that can't be scanned is told, and what the shard knows is warmed up all the same", () =>
    withNodes(async (bed, _, faults) => {
      const { warp } = bed.door();
      await warp.set("k", 1);
      await bed.clock.advance(50);
      faults.now = (call) => (call === "scan" ? { lose: "before" } : undefined);
      const warming = steps(bed.door().warp, ["*"]);
      await bed.clock.advance(1_000);
      const all = await warming;
      expect(all.at(-1)).toMatchObject({ loaded: 1, failed: 1 });
      expect(all.flatMap(({ errors }) => errors)).toEqual([{ key: "*", code: "storage_unavailable" }]);
    }));
});

async function warpUsage(bed: NodeBed) {
  const reply = await bed.bed.shard.usage(bed.bed.scope());
  if ("refused" in reply) throw new Error(reply.refused.message);
  return reply;
}

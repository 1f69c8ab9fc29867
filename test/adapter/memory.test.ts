import { describe, expect, it } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { adapterContract } from "../contract/adapter.ts";
import { Tester } from "../contract/adapter-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";

adapterContract({
  name: "memory",
  supports: {
    storage: true,
    atomicBatch: true,
    changes: true,
    registrations: true,
    persistent: false,
    history: true,
    claims: true,
    transactions: true,
    merge: true,
    quorum: false,
    leases: false,
    fences: false,
  },
  firstWriteCreates: false,
  run: async (work, options = {}) => {
    const time = new ManualTime();
    const random = seeded(1);
    const storage = new MemoryStorage({ clock: time, timers: time, random, ...options });
    await work({ time, random, open: () => memoryAdapter({ storage }) });
  },
});

describe("memory adapter", () => {
  it("makes a storage of its own unless it is given one", async () => {
    const time = new ManualTime();
    const random = seeded(2);
    const open = (): ReturnType<typeof memoryAdapter> =>
      memoryAdapter({ clock: time, random, space: "mine" });
    const [one, other] = [new Tester({ time, random, open }), new Tester({ time, random, open })];
    await one.set("a", "1");
    expect(await other.entry("a")).toBeUndefined();
    expect(await one.adapter.space()).toMatchObject({ name: "mine", shards: 1, createdAtMs: time.now() });
  });

  it("many lives end each at its own time, in whatever order they began", async () => {
    const seed = 77;
    const [time, random] = [new ManualTime(), seeded(seed)];
    const t = new Tester({ time, random, open: () => memoryAdapter({ clock: time, random }) });
    const ends = new Map<string, number>();
    for (let i = 0; i < 300; i++) {
      const key = `k${random.below(200)}`;
      const expiresInMs = 1 + random.below(1_000);
      await t.set(key, "v", { expiresInMs });
      ends.set(key, time.now() + expiresInMs);
    }
    for (let i = 0; i < 110; i++) {
      time.advance(10);
      const alive = [...ends].filter(([, end]) => end > time.now()).map(([key]) => key);
      expect(await t.keys(), `seed ${seed}`).toEqual(alive.toSorted());
    }
  });
});

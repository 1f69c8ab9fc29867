import { describe, expect, it } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { MemoryLockSpace } from "../../src/lock/memory/memory-lock-space.ts";
import { memoryLocks } from "../../src/lock/memory/memory-locks.ts";
import { adapterContract } from "../contract/adapter.ts";
import { codeOf, Tester } from "../contract/adapter-bed.ts";
import { HeldByTest } from "../support/held-locks.ts";
import { ManualTime } from "../support/manual-time.ts";
import { lockCalls } from "../support/real-locks.ts";
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
    fences: true,
  },
  firstWriteCreates: false,
  run: async (work, options = {}) => {
    const time = new ManualTime();
    const random = seeded(1);
    const space = new MemoryLockSpace({ clock: time, timers: time, random });
    const storage = new MemoryStorage({ clock: time, timers: time, random, locks: space, ...options });
    const node = memoryLocks({ space });
    const locks = lockCalls(async (command) => (await node.run([command]))[0], time, random);
    await work({ time, random, open: () => memoryAdapter({ storage }), locks });
  },
});

describe("memory adapter", () => {
  it("LK14 says whether it has locks beside it, and judges no fence without", async () => {
    const time = new ManualTime();
    const random = seeded(3);
    const open = (): ReturnType<typeof memoryAdapter> => memoryAdapter({ clock: time, random });
    const t = new Tester({ time, random, open });
    expect(t.adapter.supports.fences).toBe(false);
    const guard = { lock: "l", fence: 1 };
    expect(codeOf(await t.set("a", "v", { guard }))).toBe("unsupported");
    expect(codeOf(await t.transact({ compare: [{ key: "l", fence: 1 }] }))).toBe("unsupported");
    expect(await t.entry("a")).toBeUndefined();
    const beside = memoryAdapter({ clock: time, random, locks: new HeldByTest() });
    expect(beside.supports.fences).toBe(true);
  });

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

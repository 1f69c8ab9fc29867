import { expect, it } from "vitest";
import { memoryBacking } from "../../src/backing/memory/memory-backing.ts";
import { MemoryBackingStorage } from "../../src/backing/memory/memory-backing-storage.ts";
import type { MemoryFault } from "../../src/backing/memory/memory-faults.ts";
import { backingContract } from "../contract/backing.ts";
import { at, batch, failure, gone, put, scanned, text } from "../contract/backing-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { virtualClock } from "../support/virtual-clock.ts";

backingContract({
  name: "memory",
  supports: { atomicBatch: true, expiry: true, scan: true, persistent: false },
  run: async (work) => {
    const time = new ManualTime();
    const spaces = new Map<string, MemoryBackingStorage>();
    const planned: MemoryFault[] = [];
    const storageOf = (space = "test"): MemoryBackingStorage => {
      const storage = spaces.get(space) ?? new MemoryBackingStorage();
      spaces.set(space, storage);
      return storage;
    };
    const contentType = "application/octet-stream";
    await work({
      time,
      open: ({ space, small = false } = {}) =>
        memoryBacking({
          clock: time,
          timers: time,
          storage: storageOf(space),
          faults: () => planned.shift(),
          ...(small ? { maxBatchBytes: 60_000 } : {}),
        }),
      putPlain: async (key, bytes) => storageOf().putPlain(key, { bytes, contentType }),
      remove: async (key) => storageOf().remove(key),
      breakValue: async (key) => storageOf().breakValue(key),
      lose: async (lose) => void planned.push({ lose }),
      hold: async () => void planned.push({ afterMs: 400 }),
      shortMs: 100,
      pass: () => time.advance(100),
    });
  },
});

it("AD4 a request that is late is carried out when nobody waits for it any more, and so is a copy", async () => {
  const clock = virtualClock();
  const planned: MemoryFault[] = [];
  const backing = memoryBacking({ clock, timers: clock, faults: () => planned.shift() });
  await backing.bind(0, null, at(0));
  planned.push({ beforeMs: 500 });
  const late = failure(backing.apply(batch(at(0), put(1, "k", "v")), { timeoutMs: 100 }));
  await clock.advance(100);
  expect(await late).toMatchObject({ code: "storage_timeout", outcome: "unknown" });
  expect(await text(backing, "k")).toBeNull();
  await clock.advance(400);
  expect(await text(backing, "k")).toBe("v");
  planned.push({ lose: "before", copyAfterMs: 300 });
  const copied = failure(backing.apply(batch(at(1), gone(2, "k"))));
  expect(await copied).toMatchObject({ code: "storage_unavailable", outcome: "unknown" });
  expect(await text(backing, "k")).toBe("v");
  await clock.advance(300);
  expect(await text(backing, "k")).toBeNull();
  expect(clock.timers).toBe(0);
});

it("AD4 a tail that is forgotten takes its values and its place with it", async () => {
  const clock = virtualClock();
  const storage = new MemoryBackingStorage();
  const backing = memoryBacking({ clock, timers: clock, storage });
  await backing.bind(0, null, at(0));
  await backing.apply(batch(at(0), put(1, "a", "1"), put(2, "b", "2")));
  await backing.apply(batch(at(2), put(3, "a", "3"), gone(4, "b")));
  await backing.apply(batch(at(4), put(5, "c", "5")));
  expect(storage.forgetTail(2)).toBe(2);
  expect(await backing.position(0)).toEqual(at(2));
  expect(await text(backing, "a")).toBe("1");
  expect(await scanned(backing)).toEqual(["a", "b"]);
  expect(storage.forgetTail(5)).toBe(1);
  expect(await scanned(backing)).toEqual([]);
});

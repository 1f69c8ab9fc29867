import { describe, expect, it } from "vitest";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { type Mutation, scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { memoryWatchBus } from "../../src/watchbus/memory/memory-watch-bus.ts";
import type { Watch, WatchItem } from "../../src/watchbus/watchbus.ts";
import { watchBusContract } from "../contract/watchbus.ts";
import { shortly } from "../contract/watchbus-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const payloadOf = (value: string | Uint8Array) =>
  typeof value === "string"
    ? { bytes: utf8(value), contentType: "text/plain" }
    : { bytes: value, contentType: "application/octet-stream" };

watchBusContract({
  name: "memory",
  supports: { resume: true, snapshot: true, publish: true, remote: false, presence: true },
  run: async (work) => {
    const clock = virtualClock();
    const random = seeded(1);
    const storage = new MemoryStorage({ clock, timers: clock, random, logMaxEntries: 5_000 });
    const opId = (): string => scopeOpId("bed", uuidv7(clock, random));
    const apply = async (mutation: Mutation): Promise<void> =>
      expect(storage.apply([mutation])).toMatchObject([{ outcome: "ok" }]);
    await work({
      random,
      now: () => clock.now(),
      open: () => memoryWatchBus({ log: storage.watching, clock, timers: clock }),
      set: (key, value, expiresInMs) =>
        apply({
          kind: "set",
          opId: opId(),
          key,
          payload: payloadOf(value),
          ...(expiresInMs === undefined ? {} : { expiresInMs }),
        }),
      delete: (key) => apply({ kind: "delete", opId: opId(), key }),
      together: async (values) => {
        const success = Object.entries(values).map(
          ([key, value]) => ({ kind: "set", key, payload: payloadOf(value) }) as const,
        );
        expect(storage.transact({ opId: opId(), compare: [], success, failure: [] })).toMatchObject({
          outcome: "ok",
        });
      },
      forget: async () => {
        for (let i = 0; i < 10_100; i++) {
          await apply({ kind: "set", opId: opId(), key: `zz:${i % 10}`, payload: payloadOf("") });
        }
      },
      advance: (ms) => clock.advance(ms),
      done: async (call) => {
        await clock.settle();
        return await call;
      },
    });
  },
});

describe("watching memory", () => {
  const bed = (options: { readonly logMaxBytes?: number } = {}) => {
    const clock = virtualClock();
    const random = seeded(1);
    const storage = new MemoryStorage({ clock, timers: clock, random, ...options });
    const opId = (): string => scopeOpId("bed", uuidv7(clock, random));
    const bus = memoryWatchBus({ log: storage.watching, clock, timers: clock });
    const set = (key: string, value: string): void => {
      storage.apply([{ kind: "set", opId: opId(), key, payload: payloadOf(value) }]);
    };
    const publish = (value: string) => bus.publish({ key: "k" }, payloadOf(value), { opId: opId() });
    const take = async (watch: Watch): Promise<readonly WatchItem[]> => {
      for await (const items of watch) return items;
      return [];
    };
    return { clock, storage, bus, set, publish, take };
  };

  it("values beyond the log's bytes go, the oldest first; their entries stay and say so", async () => {
    const { bus, set, take, storage } = bed({ logMaxBytes: 10 });
    const watch = await bus.watch({ prefix: "" });
    for (const value of ["1234", "5678", "90"]) set("a", value);
    storage.watching.publish({
      opId: scopeOpId("x", uuidv7(virtualClock(), seeded(2))),
      target: { key: "a" },
      payload: payloadOf("abcd"),
      retained: true,
    });
    expect((await take(watch)).map(shortly)).toEqual(["set a?", "set a=5678", "set a=90", "publish a=abcd"]);
  });

  it("X-20 of publications that wait for a slow reader the newest 1,000 stay, and it is told that others went", async () => {
    const { bus, publish, take } = bed();
    const watch = await bus.watch({ key: "k" });
    for (let i = 0; i < 1_005; i++) await publish(String(i));
    const told = (await take(watch)).map(shortly);
    expect(told.slice(0, 2)).toEqual(["missed", "publish k=5"]);
    expect(told).toHaveLength(1_001);
  });

  it("WA8 while nobody watches no timer runs and nothing listens", async () => {
    const { bus, clock, set, storage } = bed();
    const watch = await bus.watch({ key: "k" });
    storage.apply([
      {
        kind: "set",
        opId: scopeOpId("x", uuidv7(clock, seeded(3))),
        key: "k",
        payload: payloadOf("v"),
        expiresInMs: 5_000,
      },
    ]);
    expect(clock.timers).toBe(1);
    watch.end();
    expect(clock.timers).toBe(0);
    set("k", "w");
    expect(clock.timers).toBe(0);
  });
});

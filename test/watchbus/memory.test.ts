import { expect } from "vitest";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { type Mutation, scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { memoryWatchBus } from "../../src/watchbus/memory/memory-watch-bus.ts";
import { watchBusContract } from "../contract/watchbus.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const payloadOf = (value: string | Uint8Array) =>
  typeof value === "string"
    ? { bytes: utf8(value), contentType: "text/plain" }
    : { bytes: value, contentType: "application/octet-stream" };

watchBusContract({
  name: "memory",
  supports: { resume: true, snapshot: true, publish: true, remote: false, presence: false },
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

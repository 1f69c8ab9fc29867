import { describe } from "vitest";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { adapterContract } from "../contract/adapter.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  adapterContract({
    name: "upstash",
    supports: {
      storage: true,
      atomicBatch: true,
      changes: true,
      registrations: true,
      persistent: true,
      history: false,
      claims: false,
      transactions: false,
      merge: false,
      quorum: false,
      leases: false,
      fences: false,
    },
    firstWriteCreates: false,
    run: (work, { strict = false, logMaxEntries } = {}) =>
      RedisBed.with(async ({ url, token }) => {
        const time = new ManualTime();
        const random = seeded(1);
        const redis = new UpstashRedis({ url, token, timers: realTimers, random });
        const log = logMaxEntries === undefined ? {} : { logMaxEntries };
        const open = () =>
          upstashAdapter({ redis, random, space: "test", clock: time, time: "node", strict, ...log });
        await work({ time, random, open });
      }),
  });
});

import { describe } from "vitest";
import { upstashFallback } from "../../src/fallback/upstash/upstash-fallback.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { fallbackContract } from "../contract/fallback.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  fallbackContract({
    name: "upstash",
    run: (work, bounds = {}) =>
      RedisBed.with(async (bed) => {
        const { url, token } = bed;
        const time = new ManualTime();
        const redis = new UpstashRedis({ url, token, timers: realTimers, random: seeded(1) });
        const make = (space: string) => upstashFallback({ redis, space, time, ...bounds });
        await work({
          time,
          open: () => make("test"),
          elsewhere: () => make("test2"),
          loseAnswer: () => bed.fault({ kind: "dropAfter" }),
          cut: async () => {
            await bed.fault({ kind: "dropBefore", times: 1_000 });
            return () => bed.clearFaults();
          },
        });
      }),
  });
});

import { describe } from "vitest";
import { upstashLocks } from "../../src/lock/upstash/upstash-locks.ts";
import { locksContract } from "../contract/lock.ts";
import { QuietRedis } from "../support/quiet-redis.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { redisTime } from "../support/redis-time.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  locksContract({
    name: "upstash",
    supports: {
      exclusive: false,
      durable: true,
      shared: true,
      fair: true,
      sessions: false,
      elections: true,
    },
    // Whoever waits looks that often.
    slackMs: 500,
    run: (work) =>
      RedisBed.with(async ({ url, token }) => {
        const clock = virtualClock();
        const random = seeded(1);
        const redis = new QuietRedis({ url, token });
        const time = redisTime(clock, redis, 20);
        await work({
          random,
          now: () => clock.now(),
          open: () => upstashLocks({ redis, timers: clock, random, clock, space: "test", time: "node" }),
          advance: (ms) => time.advance(ms),
          done: (call) => time.done(call, 600),
        });
      }),
  });
});

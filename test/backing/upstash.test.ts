import { describe } from "vitest";
import { upstashBacking } from "../../src/backing/upstash/upstash-backing.ts";
import { backingContract } from "../contract/backing.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";
import { setBytes } from "./redis-bytes.ts";

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  backingContract({
    name: "upstash",
    supports: { atomicBatch: true, expiry: true, scan: true, persistent: true },
    run: (work) =>
      RedisBed.with(async (bed) => {
        // Redis ends lives by its own clock: this side's begins there.
        const [seconds] = (await bed.text("TIME")) as readonly string[];
        const time = new ManualTime(Number(seconds) * 1_000);
        const name = (key: string) => `warp:{test}:v:${key}`;
        await work({
          time,
          open: ({ space = "test", small = false } = {}) => {
            const { url, token } = bed;
            const bound = small ? { maxRequestBytes: 65_536 } : {};
            const options = { url, token, timers: realTimers, random: seeded(1), ...bound };
            return upstashBacking({ ...options, space, clock: time });
          },
          putPlain: (key, bytes) => setBytes(bed, name(key), bytes),
          remove: async (key) => void (await bed.command("DEL", name(key))),
          breakValue: async (key) => void (await bed.command("SET", name(key), "warp1;zz;secret")),
          lose: (when) => bed.fault({ kind: when === "before" ? "dropBefore" : "dropAfter" }),
          hold: () => bed.fault({ kind: "delay", ms: 600 }),
          shortMs: 250,
          pass: () => undefined,
        });
      }),
  });
});

import { describe, expect, it } from "vitest";
import type { Mutation } from "../../src/adapter/adapter.ts";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { WarpError } from "../../src/errors.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { Tester } from "../contract/adapter-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

const seed = 20_261_123;
const rounds = 4;
const writesPerNode = 60;
const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);

/** What came of a write in the end. */
interface Written {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

/** Asks until there is an answer. */
async function settled<T>(ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof WarpError && error.retryable) || tried > 200) throw error;
      await new Promise<void>((resolve) => void realTimers.after(10, resolve));
    }
  }
}

describe.skipIf(withoutRedis !== undefined)("Upstash adapter under faults", () => {
  it(`AD4 OU3 what was acknowledged stands, what was unknown is settled, and versions only grow (seed ${seed})`, () =>
    RedisBed.with(
      async (bed) => {
        const time = new ManualTime();
        const done: Written[] = [];
        const counts = { acknowledged: 0, unknown: 0, foundDone: 0, sealed: 0, refused: 0 };

        const node = async (name: string, random: ReturnType<typeof seeded>): Promise<void> => {
          const { url, token } = bed;
          const redis = new UpstashRedis({ url, token, timers: realTimers, random, timeoutMs: 250 });
          const open = () => upstashAdapter({ redis, random, space: "test", clock: time, time: "node" });
          const t = new Tester({ time, random, open });
          for (let i = 0; i < writesPerNode; i++) {
            const key = keys[random.below(keys.length)] ?? "k0";
            const value = `${name}-${i}`;
            const mutation: Mutation = t.setting(key, value);
            const write = (version: number) => void done.push({ key, value, version });
            try {
              const { verdict } = await t.one(mutation);
              if (verdict.outcome !== "ok") throw new Error("an unconditional set was refused");
              counts.acknowledged++;
              write(verdict.version);
            } catch (error) {
              if (!(error instanceof WarpError)) throw error;
              if (error.outcome === "fail") {
                counts.refused++;
                continue;
              }
              counts.unknown++;
              const [told] = await settled(() =>
                t.adapter.resolve([{ opId: mutation.opId, key }], { seal: true }),
              );
              if (told?.state === "ok") {
                counts.foundDone++;
                write(told.version);
              } else {
                expect(told?.state).toBe("sealed");
                counts.sealed++;
              }
            }
          }
        };

        for (let round = 0; round < rounds; round++) {
          for (const kind of ["dropBefore", "dropAfter", "status", "garbage"] as const) {
            await bed.fault({ kind, share: 0.06, times: 10_000 });
          }
          await bed.fault({ kind: "delay", ms: 400, share: 0.02, times: 10_000 });
          let over = false;
          const writing = Promise.all(
            ["a", "b"].map((name, at) => node(`${name}${round}`, seeded(seed + round * 2 + at))),
          ).finally(() => {
            over = true;
          });
          await new Promise<void>((resolve) => void realTimers.after(150, resolve));
          if (!over) await bed.server("restart");
          await writing;
          await bed.clearFaults();
        }

        const random = seeded(seed);
        const redis = new UpstashRedis({ url: bed.url, token: bed.token, timers: realTimers, random });
        const adapter = upstashAdapter({ redis, random, space: "test", clock: time, time: "node" });
        const answers = await adapter.getMany(keys);
        expect(new Set(done.map(({ version }) => version)).size).toBe(done.length);
        for (const { key, entry } of answers) {
          const newest = done
            .filter((one) => one.key === key)
            .reduce((a, b) => (a.version > b.version ? a : b));
          const stored = {
            key,
            version: entry?.version,
            value: fromUtf8(entry?.payload.bytes ?? new Uint8Array()),
          };
          expect(stored, `seed ${seed}`).toEqual(newest);
        }
        console.log(
          `seed ${seed}: ${JSON.stringify(counts)}, ${rounds} restarts, ${await bed.requests()} requests`,
        );
        expect(counts.foundDone).toBeGreaterThan(0);
        expect(counts.sealed).toBeGreaterThan(0);
      },
      { own: true, seed },
    ));
});

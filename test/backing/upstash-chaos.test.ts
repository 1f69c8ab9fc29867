import { describe, expect, it } from "vitest";
import type { BackingBatch, BackingChange, BackingPosition } from "../../src/backing/backing.ts";
import { isAfter } from "../../src/backing/batch.ts";
import { upstashBacking } from "../../src/backing/upstash/upstash-backing.ts";
import { WarpError } from "../../src/errors.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { at, gone, put } from "../contract/backing-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

const seed = 20_261_124;
const changesInAll = 2_000;
const restarts = 3;
const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);

describe.skipIf(withoutRedis !== undefined)("Upstash behind a shard, under faults", () => {
  it(`AD4 a log that is sent until it is confirmed is there once and in order, whatever comes late (seed ${seed})`, () =>
    RedisBed.with(
      async (bed) => {
        const random = seeded(seed);
        const clock = new ManualTime();
        const { url, token } = bed;
        const open = (timeoutMs: number) =>
          upstashBacking({ url, token, timers: realTimers, random, clock, space: "test", timeoutMs });
        const backing = open(200);
        const pause = (ms: number) => new Promise<void>((resolve) => void realTimers.after(ms, resolve));
        const log: BackingChange[] = Array.from({ length: changesInAll }, (_, i) =>
          random.below(5) === 0 ? gone(i + 1, random.pick(keys)) : put(i + 1, random.pick(keys), `${i + 1}`),
        );
        await backing.bind(0, null, at(0));
        for (const kind of ["dropBefore", "dropAfter", "status", "garbage"] as const) {
          await bed.fault({ kind, share: 0.08, times: 100_000 });
        }
        await bed.fault({ kind: "delay", ms: 300, share: 0.02, times: 100_000 });

        const counts = {
          sent: 0,
          applied: 0,
          repeated: 0,
          beyond: 0,
          unknown: 0,
          late: 0,
          landed: 0,
          looks: 0,
        };
        const sent: BackingBatch[] = [];
        let over = false;
        let confirmed: BackingPosition = at(0);

        const sender = async (): Promise<void> => {
          while (confirmed.revision < changesInAll) {
            // Cut anew each time, as after a restart of the shard.
            const changes = log.slice(confirmed.revision, confirmed.revision + 1 + random.below(30));
            const batch = { shard: 0, after: confirmed, changes };
            sent.push(batch);
            counts.sent++;
            try {
              const verdict = await backing.apply(batch);
              counts[verdict.state === "elsewhere" ? "beyond" : verdict.state]++;
              const last = changes.at(-1)?.revision ?? 0;
              if (verdict.state !== "elsewhere") confirmed = at(last);
              else {
                // Only forward: what an earlier cut has brought.
                expect(verdict.found !== null && isAfter(verdict.found, confirmed), `seed ${seed}`).toBe(
                  true,
                );
                confirmed = verdict.found ?? confirmed;
              }
            } catch (error) {
              if (!(error instanceof WarpError) || !error.retryable) throw error;
              if (error.outcome === "unknown") counts.unknown++;
              await pause(5);
            }
          }
          over = true;
        };
        const latecomer = async (): Promise<void> => {
          const other = open(1_000);
          while (!over) {
            await pause(3);
            const old = sent.filter((batch) => isAfter(confirmed, batch.changes.at(-1) ?? confirmed));
            if (old.length === 0) continue;
            counts.late++;
            const verdict = await other.apply(random.pick(old)).catch(() => undefined);
            if (verdict?.state === "applied" || verdict?.state === "repeated") counts.landed++;
          }
        };
        const onlooker = async (): Promise<void> => {
          const other = open(1_000);
          const seen = new Map<string, number>();
          while (!over) {
            await pause(2);
            const entries = await other.read(keys).catch(() => []);
            counts.looks += entries.length === 0 ? 0 : 1;
            for (const entry of entries) {
              if (entry === null) continue;
              const version = entry.stamp?.version ?? 0;
              expect(version, `seed ${seed}: ${entry.key} went back`).toBeGreaterThanOrEqual(
                seen.get(entry.key) ?? 0,
              );
              seen.set(entry.key, version);
            }
          }
        };
        const killer = async (): Promise<void> => {
          for (let i = 1; i <= restarts; i++) {
            while (!over && confirmed.revision < (changesInAll * i) / (restarts + 1)) await pause(5);
            if (!over) await bed.server("restart");
          }
        };
        await Promise.all([sender(), latecomer(), onlooker(), killer()]);
        await bed.clearFaults();

        const model = new Map<string, string>();
        for (const change of log) {
          if (change.kind === "delete") model.delete(change.key);
          else model.set(change.key, fromUtf8(change.payload.bytes));
        }
        const entries = await open(10_000).read(keys);
        const stored = entries.map((entry) => (entry === null ? undefined : fromUtf8(entry.payload.bytes)));
        expect(stored, `seed ${seed}`).toEqual(keys.map((key) => model.get(key)));
        expect(await backing.position(0)).toEqual(at(changesInAll));
        console.log(`seed ${seed}: ${JSON.stringify(counts)}, ${restarts} restarts`);
        expect(counts.landed).toBe(0);
        expect(Math.min(counts.repeated + counts.beyond, counts.unknown, counts.late)).toBeGreaterThan(0);
      },
      { own: true, seed },
    ));
});

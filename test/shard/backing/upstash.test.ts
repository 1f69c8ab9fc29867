import { describe, expect, it } from "vitest";
import { host } from "#host";
import { upstashBacking } from "../../../src/backing/upstash/upstash-backing.ts";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import type { StorageSettings } from "../../../src/protocol/space.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { brokenBacking, openBehind } from "../../../src/shard/backing/behind.ts";
import { setBytes } from "../../backing/redis-bytes.ts";
import { QuietRedis } from "../../support/quiet-redis.ts";
import { RedisBed, withoutRedis } from "../../support/redis-bridge/bed.ts";
import { redisTime } from "../../support/redis-time.ts";
import { seeded } from "../../support/seeded.ts";
import { expectReply, ShardBed } from "../../support/shard-bed.ts";
import { type VirtualClock, virtualClock } from "../../support/virtual-clock.ts";

interface Backed {
  readonly server: RedisBed;
  readonly bed: ShardBed;
  readonly clock: VirtualClock;
  /** Moves time on, rings the alarm when it is due, and lets all requests come to their end. */
  advance(ms: number): Promise<void>;
  /** A call of the shard, with the requests that it takes. */
  call<T>(work: Promise<T>): Promise<T>;
  restart(): Promise<void>;
}

/** A shard with Redis behind it, which is reached through a way with faults. */
const backed = (work: (space: Backed) => Promise<void>) =>
  host.withSql((sql) =>
    RedisBed.with(
      async (server) => {
        const [seconds] = (await server.text("TIME")) as readonly string[];
        const clock = virtualClock(Number(seconds) * 1_000);
        const redis = new QuietRedis(server);
        const bed = new ShardBed(sql, {
          clock,
          timers: clock,
          backings: {
            names: ["upstash"],
            load: async () => ({ openBehind, brokenBacking }),
            open: (_, space) => upstashBacking({ redis, space, clock }),
          },
        });
        bed.nowMs = clock.now();
        const quiet = () => redis.quiet(() => clock.settle());
        const advance = async (ms: number): Promise<void> => {
          const untilMs = clock.now() + ms;
          for (;;) {
            await quiet();
            const { alarmMs } = bed;
            if (alarmMs === undefined || alarmMs > untilMs) break;
            await clock.advance(Math.max(0, alarmMs - clock.now()));
            await quiet();
            bed.alarmMs = undefined;
            await bed.shard.onAlarm();
          }
          await clock.advance(Math.max(0, untilMs - clock.now()));
          await quiet();
          bed.nowMs = clock.now();
        };
        await work({
          server,
          bed,
          clock,
          advance,
          call: (work) => redisTime(clock, redis, 50).done(work, 60_000),
          restart: async () => {
            await quiet();
            clock.forget();
            bed.restart();
          },
        });
      },
      { own: true, seed },
    ),
  );

const seed = 20_261_126;
const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
const name = (key: string) => `warp:{test}:v:${key}`;

/** Lets a shard and its storage live through 250 steps, and gives what must be in both. */
async function live(
  { server, bed, clock, advance, call, restart }: Backed,
  storage: Partial<StorageSettings>,
  flushes: boolean,
): Promise<void> {
  const random = seeded(seed);
  await bed.create({ storage: { name: "upstash", write: "behind", ...storage } });
  const model = new Map<string, { readonly value: string; readonly endsAtMs?: number }>();
  const counts = { writes: 0, reads: 0, refused: 0, foreign: 0, restarts: 0, flushes: 0, away: 0 };
  const present = (key: string): string | undefined => {
    const { value, endsAtMs = Number.POSITIVE_INFINITY } = model.get(key) ?? { value: undefined };
    return clock.now() >= endsAtMs ? undefined : value;
  };
  const spoil = async (): Promise<void> => {
    for (const kind of ["dropBefore", "dropAfter", "status", "garbage"] as const) {
      await server.fault({ kind, share: 0.07, times: 100_000 });
    }
  };
  await spoil();
  for (let step = 1; step <= 250; step++) {
    const key = random.pick(keys);
    const what = random.below(100);
    if (what < 45) {
      const value = `${step}`.repeat(1 + random.below(30));
      const isMortal = random.below(6) === 0;
      await call(bed.set(key, value, isMortal ? { expiresInMs: 20_000 } : {}));
      model.set(key, isMortal ? { value, endsAtMs: clock.now() + 20_000 } : { value });
      counts.writes++;
    } else if (what < 55) {
      await call(bed.delete(key));
      model.delete(key);
      counts.writes++;
    } else if (what < 85) {
      const reply = await call(bed.shard.read({ ...bed.scope(), keys: [key] }));
      if (isRefusal(reply)) {
        expect(reply.refused.code, `step ${step}`).toMatch(/^storage_/);
        counts.refused++;
        continue;
      }
      const [entry] = reply.entries;
      const told = entry ? new TextDecoder().decode(entry.payload.bytes) : undefined;
      expect(told, `seed ${seed}, step ${step}: ${key}`).toBe(present(key));
      counts.reads++;
    } else if (what < 92) {
      await advance(random.pick([10, 500, 3_000]));
      const [{ away } = { away: 0 }] = bed.sql.all<{ away: number }>(
        "SELECT count(*) AS away FROM keys WHERE away > 0",
      );
      counts.away = Math.max(counts.away, away);
    } else if (what < 96) {
      await restart();
      counts.restarts++;
    } else {
      await server.clearFaults();
      await advance(90_000);
      if (flushes && what < 98) {
        await server.command("FLUSHDB");
        counts.flushes++;
      } else {
        const value = `other's ${step}`;
        await setBytes(server, name(key), utf8(value));
        await call(bed.mutate({ kind: "invalidate", opId: bed.opId(), key }));
        model.set(key, { value });
        // Adopted before anything else may overtake it.
        expect(await call(bed.text(key)), `seed ${seed}, step ${step}: ${key}`).toBe(value);
        counts.foreign++;
      }
      await spoil();
    }
  }
  await server.clearFaults();
  await advance(120_000);
  const { outbox } = expectReply(await call(bed.shard.usage(bed.scope())));
  expect(outbox, `seed ${seed}`).toMatchObject({ entries: 0 });
  const other = upstashBacking({ redis: new QuietRedis(server), space: "test", clock });
  const stored = await other.read(keys);
  for (const [i, key] of keys.entries()) {
    const entry = stored[i];
    const there = entry ? new TextDecoder().decode(entry.payload.bytes) : undefined;
    expect(await call(bed.text(key)), `seed ${seed}: ${key} of the shard`).toBe(present(key));
    expect(there, `seed ${seed}: ${key} of the storage`).toBe(present(key));
  }
  console.log(`seed ${seed}: ${JSON.stringify(counts)}, ${await server.requests()} requests`);
  expect(Math.min(counts.foreign, counts.restarts)).toBeGreaterThan(0);
  expect(flushes ? counts.flushes : counts.away).toBeGreaterThan(0);
}

describe.skipIf(withoutRedis !== undefined)("a shard with Redis behind it", () => {
  it(`AD2 AD6 drops what is confirmed, fetches it again, takes in what others write, and both hold the same (seed ${seed})`, () =>
    backed((space) => live(space, { keepBytes: 200 }, false)));

  it(`AD4 writes again what Redis has lost altogether (seed ${seed})`, () =>
    backed((space) => live(space, {}, true)));
});

import { describe, expect, it } from "vitest";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { upstashBacking } from "../../src/backing/upstash/upstash-backing.ts";
import type { Proposal } from "../../src/fallback/fallback.ts";
import { upstashFallback } from "../../src/fallback/upstash/upstash-fallback.ts";
import { upstashLocks } from "../../src/lock/upstash/upstash-locks.ts";
import type { BusEvent } from "../../src/syncbus/syncbus.ts";
import { upstashBus } from "../../src/syncbus/upstash/upstash-bus.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { Tester } from "../contract/adapter-bed.ts";
import { at, batch, put, scanned, text } from "../contract/backing-bed.ts";
import { proposalOf } from "../contract/fallback.ts";
import { held, LockTester } from "../contract/lock-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

/** What others use as names, as if to meet them. */
const awkward = [
  "k",
  "v:k",
  "l:k",
  "p:0",
  "p",
  "l",
  "ln",
  "pos",
  "bus",
  "watch",
  "keys",
  "meta",
  "log",
  "o:1",
];

describe.skipIf(withoutRedis !== undefined)("all that stands on one database", () => {
  it("AD3 values, positions, streams, messages and locks of one space never collide, whatever their names", () =>
    RedisBed.with(async (bed) => {
      const time = new ManualTime();
      const random = seeded(1);
      const redis = new UpstashRedis({ url: bed.url, token: bed.token, timers: realTimers, random });
      const parts = { redis, space: "test", clock: time, random, timers: realTimers } as const;
      const adapter = upstashAdapter({ ...parts, time: "node" });
      const backing = upstashBacking(parts);
      const fallback = upstashFallback({ ...parts, time });
      const locks = upstashLocks({ ...parts, time: "node" });
      const errors: unknown[] = [];
      const background = { run: (work: Promise<unknown>) => void work.catch((error) => errors.push(error)) };
      const [one, other] = [upstashBus({ ...parts, background }), upstashBus({ ...parts, background })];
      const t = new Tester({ time, random, open: () => adapter });
      const l = new LockTester({
        random,
        now: () => time.now(),
        open: () => locks,
        advance: async () => undefined,
        done: (work) => work,
      });

      const heard: BusEvent[] = [];
      await other.subscribe({ prefix: "" }, (events) => void heard.push(...events));
      await t.register("a:*", {});
      for (const name of awkward) await t.set(`a:${name}`, name, { expiresInMs: 60_000 });
      await backing.bind(0, null, at(0));
      await backing.apply(batch(at(0), ...awkward.map((name, i) => put(i + 1, `b:${name}`, name))));
      const fences: number[] = [];
      for (const name of awkward) fences.push(held(await l.acquire(name, "me")).fence);
      const proposed: Proposal[] = awkward.map((key) => ({
        ...proposalOf(time, { key }),
      }));
      await fallback.append(0, proposed);
      for (const name of awkward) await one.publish({ key: name });

      // Each still has its own, and nothing of the others.
      for (const name of awkward) expect(await t.text(`a:${name}`)).toBe(name);
      for (const name of awkward) expect(await text(backing, `b:${name}`)).toBe(name);
      expect(await backing.position(0)).toEqual(at(awkward.length));
      const { proposals } = await fallback.read(0, undefined, 500);
      expect(proposals.map(({ mutation }) => "key" in mutation && mutation.key)).toEqual(awkward);
      expect((await locks.list()).locks.map(({ name }) => name)).toEqual(awkward.toSorted());
      for (const [i, name] of awkward.entries()) held(await l.confirm(name, "me", fences[i] ?? 0));
      await other.poll();
      expect(heard.flatMap((event) => ("key" in event ? [event.key] : []))).toEqual(awkward);
      // Values are one thing: what stands behind shards may have been an adapter's.
      expect(await scanned(backing)).toEqual(
        awkward.flatMap((name) => [`a:${name}`, `b:${name}`]).toSorted(),
      );
      const names = (await bed.text("KEYS", "*")) as readonly string[];
      expect(names.filter((name) => !name.startsWith("warp:{test}:"))).toEqual([]);

      // The end of the storage is the end of its values alone.
      while (!(await backing.clear()));
      expect(await t.text("a:k")).toBeUndefined();
      expect((await fallback.read(0, undefined, 500)).proposals).toHaveLength(awkward.length);
      expect((await locks.info("pos")).holders).toHaveLength(1);
      expect((await t.adapter.registrations()).list.map(({ pattern }) => pattern)).toEqual(["a:*"]);
      await Promise.all([one.close(), other.close(), locks.close()]);
      expect(errors).toEqual([]);
    }));
});

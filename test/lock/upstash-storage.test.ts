import { describe, expect, it } from "vitest";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { Warp } from "../../src/core/warp.ts";
import { type UpstashLocksOptions, upstashLocks } from "../../src/lock/upstash/upstash-locks.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import type { UpstashOptions } from "../../src/upstash/upstash-options.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { ended, held, LockTester, refused, rejects, text, waiting } from "../contract/lock-bed.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

declare const performance: { now(): number };

interface World {
  readonly bed: RedisBed;
  /** Redis's, as far as it is known here. */
  readonly clock: Clock;
  node(options?: Partial<UpstashOptions> & Pick<Partial<UpstashLocksOptions>, "space">): LockTester;
  pause(ms: number): Promise<void>;
}

/** Locks by Redis's own time. */
async function world(work: (world: World) => Promise<void>, own = false): Promise<void> {
  await RedisBed.with(
    async (bed) => {
      const [seconds, micros] = (await bed.text("TIME")) as readonly string[];
      const aheadMs = Number(seconds) * 1_000 + Number(micros) / 1_000 - performance.now();
      const clock = { now: () => performance.now() + aheadMs };
      const random = seeded(1);
      const node: World["node"] = ({ space = "test", ...options } = {}) =>
        new LockTester({
          random,
          now: () => clock.now(),
          open: () => {
            const { url, token } = bed;
            return upstashLocks({ url, token, timers: realTimers, random, clock, space, ...options });
          },
          advance: async () => undefined,
          done: (call) => call,
        });
      const pause = (ms: number) => new Promise<void>((resolve) => void realTimers.after(ms, resolve));
      await work({ bed, clock, node, pause });
    },
    { own },
  );
}

describe.skipIf(withoutRedis !== undefined)("Upstash locks", () => {
  it("AD3 all of a space's locks stand under its prefix, beside all else, and spaces don't meet", () =>
    world(async ({ bed, node }) => {
      const [t, other] = [node(), node({ space: "other" })];
      held(await t.acquire("v:k", "a", { value: text("mine") }));
      held(await other.acquire("v:k", "b"));
      const names = ((await bed.text("KEYS", "*")) as string[]).filter((name) => name.includes("{test}"));
      expect(names.map((name) => name.replace(/:lo:\d+$/, ":lo:…")).sort()).toEqual([
        "warp:{test}:l",
        "warp:{test}:l:v:k",
        "warp:{test}:ln",
        "warp:{test}:lo:…",
      ]);
    }));

  it("LK6 grants end by Redis's own clock, and what nobody touches goes by itself", () =>
    world(async ({ bed, node, pause }) => {
      const [a, b] = [node(), node()];
      const { fence } = held(await a.acquire("job", "a", { ttlMs: 1_000 }));
      refused(await b.acquire("job", "b"), "lock_held");
      const place = await b.queue("job", "b");
      const next = await b.wait("job", "b", place);
      expect(next).toMatchObject({ state: "offered" });
      held(await b.claim("job", "b", place));
      refused(await a.renew("job", "a", fence), "lock_lost", { reason: "expired" });
      held(await a.acquire("left", "a", { ttlMs: 100 }));
      for (const name of (await bed.text("KEYS", "*")) as string[]) {
        if (/:(l|ln)$/.test(name)) continue;
        const leftMs = Number(await bed.text("PTTL", name));
        expect(leftMs, name).toBeGreaterThan(300_000);
        expect(leftMs, name).toBeLessThan(700_000);
      }
      await pause(120);
      expect((await a.locks.list()).locks.map(({ name }) => name)).toEqual(["job"]);
      expect(await bed.text("ZRANGE", "warp:{test}:ln", "0", "-1")).toEqual(["job"]);
      // A document that has gone takes its name out of the next list.
      held(await a.acquire("gone", "a"));
      await bed.command("DEL", "warp:{test}:l:gone");
      expect((await a.locks.list()).locks.map(({ name }) => name)).toEqual(["job"]);
      expect(await bed.text("ZRANGE", "warp:{test}:ln", "0", "-1")).toEqual(["job"]);
    }));

  it("LK2 fences grow also where Redis has lost everything; who held a lock hears that it ended", () =>
    world(async ({ bed, node }) => {
      const t = node();
      for (let i = 0; i < 5; i++) held(await t.acquire(`other ${i}`, "a"));
      const before = held(await t.acquire("job", "a"));
      const { cursor } = await t.locks.observe("boss", { waitMs: 0 });
      await bed.command("FLUSHDB");
      refused(await t.renew("job", "a", before.fence), "lock_lost", { reason: "ended" });
      const after = held(await t.acquire("job", "b"));
      expect(after.fence).toBeGreaterThan(before.fence);
      expect((await t.locks.observe("boss", { waitMs: 0, cursor })).gap).toBe(true);
    }));

  it("LK8 a wait is over in its time also where this node's clock is set back meanwhile", () =>
    world(async ({ bed, clock, pause }) => {
      let backMs = 0;
      const { url, token } = bed;
      const locks = upstashLocks({
        ...{ url, token, timers: realTimers, random: seeded(1), space: "test" },
        clock: { now: () => clock.now() - backMs },
      });
      let isOver = false;
      const observed = locks.observe("boss", { waitMs: 300 }).finally(() => {
        isOver = true;
      });
      await pause(100);
      backMs = 3_600_000;
      await pause(1_000);
      expect(isOver).toBe(true);
      expect((await observed).events).toEqual([]);
      await locks.close();
    }));

  it("LK1 of 24 who race from as many clients one has it, all others are told so", () =>
    world(async ({ bed, node }) => {
      const nodes = Array.from({ length: 24 }, () => node());
      const verdicts = await Promise.all(nodes.map((t, i) => t.acquire("job", `o${i}`)));
      expect(verdicts.filter(({ outcome }) => outcome === "ok")).toHaveLength(1);
      const places = await Promise.all(nodes.map((t, i) => t.acquire("queue", `o${i}`, { waitMs: 60_000 })));
      const positions = places.flatMap((place) =>
        place.outcome === "ok" && place.state === "waiting" ? [place.position] : [],
      );
      expect(positions.sort((x, y) => x - y)).toEqual(Array.from({ length: 23 }, (_, i) => i + 1));
      expect((await nodes[0]?.locks.info("queue"))?.waiters).toBe(23);
      console.log(`48 commands in a race: ${await bed.requests()} requests`);
    }));

  it("OU2 one op id for two names at once has one effect", () =>
    world(async ({ node }) => {
      const [a, b] = [node(), node()];
      for (let round = 0; round < 10; round++) {
        const one = a.acquiring(`x${round}`, "o");
        const other = { ...one, name: `y${round}` };
        const verdicts = await Promise.all([a.one(one), b.one(other)]);
        expect(verdicts.filter(({ outcome }) => outcome === "ok")).toHaveLength(1);
        const lost = verdicts.find(({ outcome }) => outcome === "fail");
        refused(lost, "op_id_reused");
      }
    }));

  it("OU1 a command whose answer is lost is unknown, and its repeat has the first one's verdict", () =>
    world(async ({ bed, node }) => {
      const t = node();
      held(await t.acquire("warm", "a"));
      const acquiring = t.acquiring("job", "a");
      // The read goes well, the write's answer is lost.
      await bed.fault({ kind: "delay", ms: 0, command: "EVALSHA" });
      await bed.fault({ kind: "dropAfter", command: "EVALSHA" });
      const error = await t.locks.run([acquiring]).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: "storage_unavailable", outcome: "unknown", retryable: true });
      expect(await t.one(acquiring)).toMatchObject({ state: "held", replayed: true });
      expect((await t.locks.info("job")).holders).toHaveLength(1);
      // Where the read fails nothing was begun. It is tried again first.
      await bed.fault({ kind: "status", times: 3 });
      await rejects(t.acquire("job2", "a"), "storage_unavailable");
      expect((await t.locks.info("job2")).holders).toEqual([]);
    }));

  it("AD4 what can't be read names its lock, wrong tokens and servers that are not there have their codes", () =>
    world(async ({ bed, node }) => {
      const t = node();
      held(await t.acquire("job", "a"));
      await bed.command("HSET", "warp:{test}:l:job", "d", "secret");
      const error = await rejects(t.locks.info("job"), "decode_failed");
      expect(error.details).toEqual({ name: "job" });
      expect(error.message).not.toContain("secret");
      const acquiring = t.acquiring("kept", "a");
      held(await t.one(acquiring));
      const verdicts = ((await bed.text("KEYS", "*")) as string[]).filter((key) => key.includes(":lo:"));
      for (const key of verdicts) await bed.command("HSET", key, acquiring.opId, "secret");
      const lost = await rejects(t.one(acquiring), "decode_failed");
      expect(lost.message).not.toContain("secret");
      expect(lost.outcome).toBe("fail");
      held(await t.acquire("other", "a"));
      await rejects(node({ token: "wrong" }).acquire("job", "a"), "storage_unavailable");
      await rejects(
        node({ url: "http://127.0.0.1:9", attempts: 1 }).acquire("job", "a"),
        "storage_unavailable",
      );
    }));

  it("LK13 a name that is used all the time keeps a bounded document", () =>
    world(async ({ bed, node }) => {
      const t = node();
      let first = 0;
      for (let round = 0; round < 150; round++) {
        const { fence } = held(await t.acquire("job", "a"));
        first ||= fence;
        ended(await t.release("job", "a", fence));
      }
      expect(Number(await bed.text("HSTRLEN", "warp:{test}:l:job", "d"))).toBeLessThan(16_384);
      refused(await t.renew("job", "a", first), "lock_lost", { reason: "ended" });
    }));

  it("LK13 a queue whose values are too much lets nobody else in, and is served all the same", () =>
    world(async ({ node }) => {
      const t = node();
      const { fence } = held(await t.acquire("job", "a"));
      const value = { bytes: new Uint8Array(16_384), contentType: "application/octet-stream" };
      const queue = (from: number, count: number) =>
        t.run(
          Array.from({ length: count }, (_, i) =>
            t.acquiring("job", `w${from + i}`, { value, waitMs: 600_000 }),
          ),
        );
      const places = [...(await queue(0, 128)), ...(await queue(128, 40))].map(waiting);
      const error = await rejects(queue(168, 40), "overloaded");
      expect(error.details).toMatchObject({ name: "job" });
      expect((await t.locks.info("job")).waiters).toBe(168);
      ended(await t.release("job", "a", fence));
      const leaving = places.slice(0, 40).map(({ ticket }, i) => {
        return { kind: "cancel", opId: t.opId(), name: "job", owner: `w${i}`, ticket } as const;
      });
      for (const verdict of await t.run(leaving)) ended(verdict);
      waiting((await queue(168, 1))[0]);
    }));

  it("LK7 CO10 handles of two nodes keep each other out, and renew themselves", () =>
    world(async ({ bed, clock, pause }) => {
      const random = seeded(7);
      const errors: unknown[] = [];
      const node = () => {
        const redis = new UpstashRedis({ url: bed.url, token: bed.token, timers: realTimers, random });
        const parts = { redis, space: "test", clock, timers: realTimers, random };
        const background = {
          run: (work: Promise<unknown>) => void work.catch((error) => errors.push(error)),
        };
        return new Warp({
          adapter: upstashAdapter(parts),
          locks: upstashLocks(parts),
          cache: memoryCache({}),
          background,
          ...parts,
        });
      };
      const [a, b] = [node(), node()];
      const mine = await a.lock("job", { ttlMs: 1_500 });
      const waiting = b.lock("job", { ttlMs: 1_500, waitMs: 20_000 });
      let has = false;
      void waiting.then(() => (has = true));
      await pause(2_500);
      expect(has).toBe(false);
      expect(mine.signal.aborted).toBe(false);
      await mine.release();
      const theirs = await waiting;
      expect(theirs.fence).toBeGreaterThan(mine.fence);
      await theirs.release();
      await Promise.all([a.close(), b.close()]);
      expect(errors).toEqual([]);
    }));

  it("costs what docs/upstash-locks.md says", () =>
    world(async ({ bed, node }) => {
      const t = node();
      const cost = async (work: () => Promise<unknown>): Promise<string> => {
        await bed.command("CONFIG", "RESETSTAT");
        const before = await bed.requests();
        await work();
        const requests = (await bed.requests()) - before;
        const stats = String(await bed.text("INFO", "commandstats"));
        const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
        const own = /^(config|info|select|zrandmember|exists)/;
        const commands = calls.reduce(
          (sum, [, what = "", count]) => (own.test(what) ? sum : sum + Number(count)),
          0,
        );
        return `${requests} requests, ${commands} commands`;
      };
      held(await t.acquire("warm", "a"));
      await t.locks.list();
      let fence = 0;
      const told = {
        acquire: await cost(async () => (fence = held(await t.acquire("job", "a")).fence)),
        refused: await cost(() => t.acquire("job", "b")),
        renew: await cost(() => t.renew("job", "a", fence)),
        confirm: await cost(() => t.confirm("job", "a", fence)),
        release: await cost(() => t.release("job", "a", fence)),
        info: await cost(() => t.locks.info("job")),
      };
      expect(told).toEqual({
        acquire: "2 requests, 14 commands",
        refused: "2 requests, 11 commands",
        renew: "2 requests, 14 commands",
        confirm: "1 requests, 4 commands",
        release: "2 requests, 14 commands",
        info: "1 requests, 4 commands",
      });
    }, true));
});

import { describe, expect, it } from "vitest";
import { isWarpError, type WarpError } from "../../src/errors.ts";
import type { Fallback } from "../../src/fallback/fallback.ts";
import { upstashFallback } from "../../src/fallback/upstash/upstash-fallback.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { proposalOf } from "../contract/fallback.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

const on = (work: (bed: RedisBed, fallback: Fallback, time: ManualTime) => Promise<void>) =>
  RedisBed.with(async (bed) => {
    const { url, token } = bed;
    const time = new ManualTime();
    const redis = new UpstashRedis({ url, token, timers: realTimers, random: seeded(1) });
    await work(bed, upstashFallback({ redis, space: "test", time }), time);
  });

async function failure(work: Promise<unknown>): Promise<WarpError> {
  const error = await work.then(
    (answer) => new Error(`it answered ${JSON.stringify(answer)}`),
    (cause: unknown) => cause,
  );
  if (isWarpError(error)) return error;
  throw error;
}

describe.skipIf(withoutRedis !== undefined)("the fallback's stream in Redis", () => {
  it("AD3 SB8 keeps nothing of what is trimmed but how far it was, and nothing outside its prefix", () =>
    on(async (bed, fallback, time) => {
      const places: string[] = [];
      for (let i = 0; i < 30; i++) {
        places.push(...(await fallback.append(3, [proposalOf(time), proposalOf(time)])));
        time.advance(1);
      }
      expect([...((await bed.text("KEYS", "*")) as string[])].sort()).toEqual([
        "warp:{test}:p",
        "warp:{test}:p:3",
        "warp:{test}:p:3:ops",
      ]);
      // An entry of which a part is applied stays as a whole; its op ids, too.
      await fallback.trim(3, places[40] ?? "");
      expect(await bed.text("XLEN", "warp:{test}:p:3")).toBe(10);
      expect(await bed.text("HLEN", "warp:{test}:p:3:ops")).toBe(20);
      await fallback.trim(3, places[59] ?? "");
      expect(await bed.text("HGETALL", "warp:{test}:p")).toEqual([
        "head:3",
        places[59],
        "count:3",
        "0",
        "bytes:3",
        "0",
        "applied:3",
        places[59],
      ]);
      await fallback.clear(3);
      expect(await bed.text("KEYS", "*")).toEqual([]);
    }));

  it("SB8 tells a hole that others have made, in the middle and at the end", () =>
    on(async (bed, fallback, time) => {
      const places: string[] = [];
      for (let i = 0; i < 3; i++) {
        places.push(...(await fallback.append(0, [proposalOf(time)])));
        time.advance(1);
      }
      const [first, second = "", third = ""] = places;
      await bed.command("XDEL", "warp:{test}:p:0", second);
      const page = await fallback.read(0, first, 500);
      expect([page.gap, page.lost, page.proposals.map(({ place }) => place)]).toEqual([
        true,
        undefined,
        [third],
      ]);
      // Who has read beyond it sees none.
      expect(await fallback.read(0, third, 500)).not.toHaveProperty("gap");
      await bed.command("DEL", "warp:{test}:p:0");
      expect(await fallback.read(0, second, 500)).toEqual({ proposals: [], head: third, gap: true });
      // What comes then has places beyond.
      const [next] = await fallback.append(0, [proposalOf(time)]);
      expect((await fallback.read(0, third, 500)).proposals).toMatchObject([{ place: next }]);
    }));

  it("SB8 tells the loss of everything, and gives places again", () =>
    on(async (bed, fallback, time) => {
      const [place = ""] = await fallback.append(0, [proposalOf(time)]);
      await fallback.trim(0, place);
      await bed.command("FLUSHDB");
      expect(await fallback.read(0, place, 1)).toEqual({ proposals: [], lost: true });
      const [again] = await fallback.append(0, [proposalOf(time)]);
      expect((await fallback.read(0, undefined, 1)).proposals).toMatchObject([{ place: again }]);
    }));

  it("AD4 what has no form that can be read is an error that quotes nothing of it", () =>
    on(async (bed, fallback, time) => {
      const [place = ""] = await fallback.append(0, [proposalOf(time)]);
      const later = `${Number(place.split("-")[0]) + 1}-0`;
      await bed.command("XADD", "warp:{test}:p:0", later, "b", place, "op", '{"secret":1}');
      const error = await failure(fallback.read(0, place, 1));
      expect(error).toMatchObject({ code: "decode_failed", outcome: "fail" });
      expect(`${error.message} ${JSON.stringify(error.toData())}`).not.toContain("secret");
      await bed.command("HSET", "warp:{test}:p", "notice", '{"space":{"name":"secret"}}');
      expect(await failure(fallback.notice())).toMatchObject({ code: "decode_failed" });
      await bed.command("DEL", "warp:{test}:p");
      await bed.command("SET", "warp:{test}:p", "x");
      const wrong = { code: "storage_unavailable", retryable: expect.any(Boolean) };
      expect(await failure(fallback.read(0, undefined, 1))).toMatchObject(wrong);
    }));

  it("AD4 a request that is larger than the storage takes is refused before it is sent", () =>
    RedisBed.with(async ({ url, token }) => {
      const time = new ManualTime();
      const small = { maxRequestBytes: 65_536, timers: realTimers, random: seeded(1) };
      const fallback = upstashFallback({
        redis: new UpstashRedis({ url, token, ...small }),
        space: "test",
        time,
      });
      const payload = { bytes: new Uint8Array(60_000), contentType: "a/b" };
      const error = await failure(fallback.append(0, [proposalOf(time, { payload })]));
      expect(error).toMatchObject({ code: "batch_too_large", outcome: "fail" });
    }));

  it("SB8 dates places by the server's own clock unless told otherwise", () =>
    RedisBed.with(async ({ url, token }) => {
      const redis = new UpstashRedis({ url, token, timers: realTimers, random: seeded(1) });
      const fallback = upstashFallback({ redis, space: "test" });
      // An op id of another year.
      expect(await failure(fallback.append(0, [proposalOf(new ManualTime())]))).toMatchObject({
        code: "op_id_expired",
      });
    }));

  it("costs what docs/upstash-fallback.md says", () =>
    RedisBed.with(
      async (bed) => {
        const redis = new UpstashRedis({ ...bed, timers: realTimers, random: seeded(1) });
        const fallback = upstashFallback({ redis, space: "test" });
        const time = new ManualTime(Date.now());
        const append = (count: number) =>
          fallback.append(
            0,
            Array.from({ length: count }, () => proposalOf(time)),
          );
        const costs: Record<string, number> = {};
        const cost = async (what: string, work: () => Promise<unknown>): Promise<void> => {
          await bed.command("CONFIG", "RESETSTAT");
          await work();
          const stats = String(await bed.text("INFO", "commandstats"));
          const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
          const own = /^(config|info|select)/;
          costs[what] = calls.reduce(
            (sum, [, name = "", count]) => (own.test(name) ? sum : sum + Number(count)),
            0,
          );
        };
        // The scripts are there from now on.
        const [first = ""] = await append(1);
        await fallback.read(0, first, 500);
        await fallback.trim(0, first);
        await fallback.announce(undefined);
        await cost("append 1", () => append(1));
        await cost("append 500", () => append(500));
        await cost("read 500", () => fallback.read(0, first, 500));
        const [last = ""] = await append(1);
        await cost("read, nothing there", () => fallback.read(0, last, 500));
        await cost("trim 502", () => fallback.trim(0, last));
        await cost("notice", () => fallback.notice());
        await cost("announce", () => fallback.announce(undefined));
        expect(costs).toEqual({
          "append 1": 7,
          "append 500": 7,
          "read 500": 3,
          "read, nothing there": 3,
          "trim 502": 6,
          notice: 1,
          announce: 3,
        });
      },
      { own: true },
    ));
});

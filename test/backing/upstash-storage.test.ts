import { describe, expect, it } from "vitest";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { type UpstashBacking, upstashBacking } from "../../src/backing/upstash/upstash-backing.ts";
import { backingExpiryGraceMs } from "../../src/runtime/backing-limits.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import type { UpstashOptions } from "../../src/upstash/upstash-options.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { Tester } from "../contract/adapter-bed.ts";
import {
  at,
  batch,
  bound,
  carryOut,
  failure,
  gone,
  one,
  put,
  scanned,
  text,
} from "../contract/backing-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";
import { setBytes } from "./redis-bytes.ts";

interface World {
  readonly bed: RedisBed;
  readonly time: ManualTime;
  open(options?: Partial<UpstashOptions> & { readonly space?: string }): UpstashBacking;
  /** One whose shard 0 is bound. */
  bound(): Promise<UpstashBacking>;
}

const name = (key: string) => `warp:{test}:v:${key}`;

async function world(work: (world: World) => Promise<void>, own = false): Promise<void> {
  await RedisBed.with(
    async (bed) => {
      const [seconds] = (await bed.text("TIME")) as readonly string[];
      const time = new ManualTime(Number(seconds) * 1_000);
      const open: World["open"] = ({ space = "test", ...options } = {}) =>
        upstashBacking({
          url: bed.url,
          token: bed.token,
          timers: realTimers,
          random: seeded(1),
          clock: time,
          space,
          ...options,
        });
      const bind = async () => {
        const backing = open();
        await bound({ open: () => backing });
        return backing;
      };
      await work({ bed, time, open, bound: bind });
    },
    { own },
  );
}

describe.skipIf(withoutRedis !== undefined)("Upstash behind a shard", () => {
  it("AD3 all of a space begins with its prefix, and what is stored is ASCII", () =>
    world(async ({ bed, bound }) => {
      const backing = await bound();
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const payload = { bytes, contentType: "text/é; a=\u0000;\ud800" };
      await carryOut(backing, put(1, "k", "", { payload, tags: ["ü,;", "b"] }));
      expect(((await bed.text("KEYS", "*")) as string[]).sort()).toEqual([
        "warp:{test}:pos",
        "warp:{test}:v:k",
      ]);
      expect(await bed.text("GET", name("k"))).toMatch(/^warp1;00000000000000aa;1;1000;;[\x20-\x7e]+$/);
      expect(await bed.text("HGETALL", "warp:{test}:pos")).toEqual(["0", "00000000000000aa;1;0"]);
      const entry = await one(backing, "k");
      expect(entry?.payload).toEqual({ bytes, contentType: payload.contentType.toWellFormed() });
    }));

  it("AD2 what an adapter wrote is read, and the other way round", () =>
    world(async ({ bed, time, bound }) => {
      const { url, token } = bed;
      const random = seeded(1);
      const redis = new UpstashRedis({ url, token, timers: realTimers, random });
      const adapter = upstashAdapter({ redis, random, space: "test", clock: time, time: "node" });
      const t = new Tester({ time, random, open: () => adapter });
      await t.set("a", "adapter's", { tags: ["x"], expiresInMs: 60_000 });
      await t.set("b", "adapter's");
      const backing = await bound();
      const entry = await one(backing, "a");
      expect(entry).toMatchObject({
        tags: ["x"],
        modifiedAtMs: time.now(),
        expiresAtMs: time.now() + 60_000,
      });
      expect(entry?.stamp?.epoch).toMatch(/^[0-9a-f]{16}$/);
      expect(await text(backing, "a")).toBe("adapter's");
      await carryOut(backing, put(1, "a", "shard's"), put(2, "c", "shard's"), gone(3, "b"));
      expect(await t.text("a")).toBe("shard's");
      expect(await t.text("b")).toBeUndefined();
      expect(await t.text("c")).toBe("shard's");
      expect(await t.keys()).toEqual(["a", "c"]);
      await t.set("c", "adapter's again");
      expect(await text(backing, "c")).toBe("adapter's again");
      // What the adapter keeps beside its values is its own.
      while (!(await backing.clear()));
      expect(await bed.text("EXISTS", "warp:{test}:meta")).toBe(1);
    }));

  it("AD6 values of others are typed by what they are, and end when they end", () =>
    world(async ({ bed, time, bound }) => {
      const backing = await bound();
      const plain = {
        number: "5",
        truth: "true",
        json: '{"a":1}',
        text: "é; #text",
        empty: "",
        mark: "plain1;0",
      };
      for (const [key, value] of Object.entries(plain)) await bed.command("SET", name(key), value);
      await setBytes(bed, name("bytes"), Uint8Array.of(0xd7, 0x6d, 0xf8));
      await bed.command("SET", name("mortal"), "5", "PX", "90000");
      await bed.command("RPUSH", name("list"), "x");
      const types = async (key: string) => (await one(backing, key))?.payload.contentType;
      for (const [key, value] of Object.entries(plain)) expect(await text(backing, key)).toBe(value);
      expect([await types("number"), await types("truth"), await types("json")]).toEqual(
        Array.from({ length: 3 }, () => "application/json"),
      );
      expect([await types("text"), await types("empty")]).toEqual(
        Array.from({ length: 2 }, () => "text/plain; charset=utf-8"),
      );
      expect(await one(backing, "bytes")).toEqual({
        key: "bytes",
        payload: { bytes: Uint8Array.of(0xd7, 0x6d, 0xf8), contentType: "application/octet-stream" },
      });
      const leftMs = ((await one(backing, "mortal"))?.expiresAtMs ?? 0) - time.now();
      expect(leftMs).toBeGreaterThan(60_000);
      expect(leftMs).toBeLessThanOrEqual(90_000);
      // What is no string is no value, and gives way to one.
      expect(await one(backing, "list")).toBeNull();
      await carryOut(backing, put(1, "list", "v"), put(2, "mortal", "v"));
      expect(await text(backing, "list")).toBe("v");
      expect(await bed.text("PTTL", name("mortal"))).toBe(-1);
    }));

  it("EX1 Redis ends a life later than the shard does, so that a value is never gone before its time", () =>
    world(async ({ bed, time, bound }) => {
      const backing = await bound();
      const endMs = time.now() + 5_000;
      await carryOut(backing, put(1, "k", "v", { expiresAtMs: endMs }), put(2, "l", "v"));
      expect(await bed.text("PEXPIRETIME", name("k"))).toBe(endMs + backingExpiryGraceMs);
      expect(await bed.text("PTTL", name("l"))).toBe(-1);
      // What has been over for so long is not stored any more.
      time.advance(backingExpiryGraceMs + 1);
      await carryOut(backing, put(3, "l", "v", { expiresAtMs: time.now() - backingExpiryGraceMs }));
      expect(await bed.text("EXISTS", name("l"))).toBe(0);
    }));

  it("AD1 a scan passes over what is no key, and goes through a database of others", () =>
    world(async ({ bed, bound }) => {
      const backing = await bound();
      await carryOut(backing, put(1, "k", "v"), put(2, "*[a]?\\", "v"));
      await bed.command("SET", name(""), "v");
      await bed.command("SET", name("k".repeat(513)), "v");
      await bed.command("EVAL", "return redis.call('SET', 'warp:{test}:v:\\255', 'v')", "0");
      await bed.command("SET", "warp:{test}x:v:k", "v");
      await bed.command("EVAL", "for i = 1, 20000 do redis.call('SET', 'other:' .. i, 'v') end", "0");
      expect(await scanned(backing, 100)).toEqual(["*[a]?\\", "k"]);
      expect(await failure(backing.scan({ limit: 1, cursor: "no" }))).toMatchObject({
        code: "invalid_cursor",
      });
      let calls = 1;
      while (!(await backing.clear())) {
        // What comes where this round has been already, the next one finds.
        if (++calls === 10) {
          await bed.command(
            "EVAL",
            "for i = 1, 200 do redis.call('SET', 'warp:{test}:v:' .. i, 'v') end",
            "0",
          );
        }
      }
      expect(await bed.text("DBSIZE")).toBe(20_001);
      expect(calls).toBeGreaterThan(10);
    }));

  it("AD5 an answer ends at 8 MiB, and the next one goes on", () =>
    world(async ({ bed, bound }) => {
      const backing = await bound();
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
      for (const [i, key] of keys.entries())
        await carryOut(backing, put(i + 1, key, new Uint8Array(600_000)));
      await backing.read(["k0"]);
      const before = await bed.requests();
      const entries = await backing.read(keys);
      expect(entries.every((entry) => entry?.payload.bytes.length === 600_000)).toBe(true);
      // 800,000 bytes each in base64: 11 of them, and once more the rest.
      expect((await bed.requests()) - before).toBe(4);
    }));

  it("AD4 a position that can't be read is decode_failed, and nothing is carried out", () =>
    world(async ({ bed, bound }) => {
      const backing = await bound();
      await bed.command("HSET", "warp:{test}:pos", "0", "secret");
      expect(await failure(backing.position(0))).toMatchObject({ code: "decode_failed" });
      const error = await failure(backing.apply(batch(at(0), put(1, "k", "v"))));
      expect(error.code).toBe("decode_failed");
      expect(error.message).not.toContain("secret");
      expect(await text(backing, "k")).toBeNull();
    }));

  it("AD4 a wrong URL or token, an unreachable server, and what the service refuses have codes that name no secrets", () =>
    world(async ({ bed, open, bound }) => {
      const mine = await bound();
      for (const url of ["nonsense", "ftp://x", ""]) {
        expect(await failure(Promise.resolve().then(() => open({ url })))).toMatchObject({
          code: "invalid_argument",
        });
      }
      const denied = await failure(open({ token: "wrong-token" }).apply(batch(at(0), put(1, "k", "secret"))));
      expect(denied).toMatchObject({ code: "storage_unavailable", outcome: "fail", retryable: false });
      expect(denied.message).not.toContain("wrong-token");
      const nowhere = open({ url: "http://127.0.0.1:9", attempts: 2 });
      const read = await failure(nowhere.read(["k"]));
      expect(read).toMatchObject({ code: "storage_unavailable", outcome: "fail", retryable: true });
      const apply = await failure(nowhere.apply(batch(at(0), put(1, "k", "secret"))));
      expect(apply).toMatchObject({ code: "storage_unavailable", outcome: "unknown", retryable: true });
      expect(`${apply.message} ${JSON.stringify(apply.toData())}`).not.toContain("secret");
      const refusals = {
        OOM: "OOM command not allowed",
        READONLY: "READONLY You can't write",
        LOADING: "LOADING Redis",
      };
      for (const message of Object.values(refusals)) {
        await bed.fault({ kind: "refuse", message });
        const error = await failure(mine.apply(batch(at(0), put(1, "k", "v"))));
        expect(error).toMatchObject({ code: "storage_unavailable", outcome: "fail", retryable: true });
      }
      for (const kind of ["status", "garbage"] as const) {
        await bed.fault({ kind });
        const error = await failure(mine.apply(batch(at(0), put(1, "k", "v"))));
        expect(error).toMatchObject({ code: "storage_unavailable", outcome: "unknown" });
      }
      expect(await mine.apply(batch(at(0), put(1, "k", "v")))).toEqual({ state: "repeated" });
      await bed.fault({ kind: "status", times: 2 });
      expect(await text(mine, "k")).toBe("v");
    }));

  it("AD4 a server that was restarted knows the place, and is told the scripts anew", () =>
    world(async ({ bed, bound }) => {
      const backing = await bound();
      await carryOut(backing, put(1, "k", "1"));
      await bed.server("restart");
      await bed.command("SCRIPT", "FLUSH");
      const sent = batch(at(1), put(2, "k", "2"));
      expect(await backing.apply(sent)).toEqual({ state: "applied" });
      await bed.server("restart");
      expect(await backing.apply(sent)).toEqual({ state: "repeated" });
      expect(await text(backing, "k")).toBe("2");
      await bed.server("kill");
      expect(await failure(backing.apply(batch(at(2), put(3, "k", "3"))))).toMatchObject({
        outcome: "unknown",
      });
      await bed.server("start");
      expect(await text(backing, "k")).toBe("2");
    }, true));

  it("AD4 a batch that the service finds too large is told so: a shard sends it in parts", () =>
    RedisBed.with(
      async ({ url, token }) => {
        const [timers, random, clock] = [realTimers, seeded(1), new ManualTime(1_700_000_000_000)];
        const open = () => upstashBacking({ url, token, timers, random, clock, space: "test" });
        const backing = await bound({ open });
        const [a, b] = ["a", "b"].map((key, n) => put(n + 1, key, "x".repeat(50_000)));
        if (a === undefined || b === undefined) throw new Error("there are two");
        const error = await failure(backing.apply(batch(at(0), a, b)));
        expect(error).toMatchObject({ code: "batch_too_large", outcome: "fail" });
        expect(await backing.apply(batch(at(0), a))).toEqual({ state: "applied" });
        expect(await backing.apply(batch(at(1), b))).toEqual({ state: "applied" });
      },
      { maxRequestBytes: 100_000 },
    ));

  it("costs what docs/upstash-backing.md says", () =>
    world(async ({ bed, bound }) => {
      const backing = await bound();
      const many = Array.from({ length: 500 }, (_, i) => `k${i}`);
      let revision = 0;
      const puts = (keys: readonly string[]) => keys.map((key) => put(++revision, key, "v"));
      const gones = (keys: readonly string[]) => keys.map((key) => gone(++revision, key));
      let after = at(0);
      const apply = async (changes: readonly ReturnType<typeof put>[]) => {
        expect(await backing.apply(batch(after, ...changes))).toEqual({ state: "applied" });
        after = at(revision);
      };
      const cost = async (work: () => Promise<unknown>): Promise<number> => {
        await work();
        await bed.command("CONFIG", "RESETSTAT");
        await work();
        const stats = String(await bed.text("INFO", "commandstats"));
        const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
        const own = /^(config|info|select)/;
        return calls.reduce((sum, [, what = "", count]) => (own.test(what) ? sum : sum + Number(count)), 0);
      };
      expect({
        "put 1": await cost(() => apply(puts(["k0"]))),
        "put 500": await cost(() => apply(puts(many))),
        "delete 500": await cost(() => apply(gones(many))),
        "put and delete 250": await cost(() =>
          apply([...puts(many.slice(250)), ...gones(many.slice(0, 250))]),
        ),
        "read 1": await cost(() => backing.read(["k0"])),
        "read 500": await cost(() => backing.read(many)),
        position: await cost(() => backing.position(0)),
      }).toEqual({
        "put 1": 4,
        "put 500": 4,
        "delete 500": 4,
        "put and delete 250": 5,
        "read 1": 2,
        "read 500": 26,
        position: 2,
      });
      await bed.command("SET", name("k0"), "5");
      expect(await cost(() => backing.read(["k0"]))).toBe(3);
      expect(fromUtf8((await one(backing, "k0"))?.payload.bytes ?? new Uint8Array())).toBe("5");
    }, true));
});

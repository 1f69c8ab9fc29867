import { describe, expect, it } from "vitest";
import { isWarpError, type WarpError } from "../../src/errors.ts";
import { bytesOf, textOf } from "../../src/upstash/reply.ts";
import { Script } from "../../src/upstash/script.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

type Options = Partial<ConstructorParameters<typeof UpstashRedis>[0]>;

function client(bed: Pick<RedisBed, "url" | "token">, options: Options = {}): UpstashRedis {
  return new UpstashRedis({
    url: bed.url,
    token: bed.token,
    timers: realTimers,
    random: seeded(1),
    ...options,
  });
}

async function failure(work: Promise<unknown>): Promise<WarpError> {
  const error = await work.then(
    (answer) => new Error(`it answered ${JSON.stringify(answer)}`),
    (cause: unknown) => cause,
  );
  if (isWarpError(error)) return error;
  throw error;
}

/** All that an error shows of itself and its causes. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message} ${error.stack} ${JSON.stringify(error)} ${shown(error.cause ?? "")}`;
}

const text = (reply: unknown): string => textOf(typeof reply === "string" ? reply : "none");

describe.skipIf(withoutRedis !== undefined)("Upstash's traps", () => {
  it('AD1 "5", "true", "null" and JSON stay strings', () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      for (const value of ["5", "true", "null", '{"a":1}', '"q"', "", "OK", "T0s=", "1e3", "🙂"]) {
        await redis.command(["SET", "k", value], "write");
        expect(text(await redis.command(["GET", "k"], "read"))).toBe(value);
        expect(await bed.text("GET", "k")).toBe(value);
      }
      expect(await redis.command(["GET", "absent"], "read")).toBeNull();
      expect(await redis.command(["STRLEN", "k"], "read")).toBe(4);
      expect(await redis.command(["MGET", "k", "absent"], "read")).toEqual(["\xf0\x9f\x99\x82", null]);
    }));

  it("AD1 bytes that are no UTF-8 survive", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      const script = new Script(
        "return redis.call('SET', KEYS[1], (ARGV[1]:gsub('..', function(h) return string.char(tonumber(h, 16)) end)))",
      );
      const hex = [...all].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      expect(await redis.script(script, ["k"], [hex], "write")).toBe("OK");
      const reply = await redis.command(["GET", "k"], "read");
      expect(bytesOf(String(reply))).toEqual(all);
      expect(await bed.command("GET", "k")).toEqual(all);
      // In base64 these read 1234, true and null.
      for (const odd of ["d76df8", "b6bb9e", "9ee965"]) {
        await redis.script(script, ["odd"], [odd], "write");
        const bytes = bytesOf(String(await redis.command(["GET", "odd"], "read")));
        expect([...bytes].map((byte) => byte.toString(16)).join("")).toBe(odd);
      }
    }));

  it("AD4 a time-out is an error and not an absent value; of a write it is unknown", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed, { timeoutMs: 300 });
      await redis.command(["SET", "k", "v"], "write", { timeoutMs: 5_000 });
      await bed.fault({ kind: "delay", ms: 1_500, times: 2 });
      const read = await failure(redis.command(["GET", "k"], "read"));
      expect(read).toMatchObject({ code: "storage_timeout", outcome: "fail", retryable: true });
      const write = await failure(redis.command(["SET", "k", "w"], "write"));
      expect(write).toMatchObject({ code: "storage_timeout", outcome: "unknown" });
      expect(await bed.text("GET", "k")).toBe("w");
      // Nobody goes on waiting for them either.
      await expect.poll(() => bed.left()).toBe(2);
      // Also where the answer has begun to come.
      await bed.fault({ kind: "slow", ms: 1_500 });
      expect(await failure(redis.command(["GET", "k"], "read"))).toMatchObject({ code: "storage_timeout" });
    }));

  it("AD4 who gives up is told so, and others' calls go on", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      await redis.command(["SET", "k", "v"], "write");
      await bed.fault({ kind: "delay", ms: 300, times: 2 });
      const gone = new AbortController();
      const left = failure(redis.command(["GET", "k"], "read", { signal: gone.signal }));
      const other = redis.command(["GET", "k"], "read");
      realTimers.after(50, () => gone.abort("enough"));
      expect(await left).toMatchObject({ code: "aborted", outcome: "fail", cause: "enough" });
      expect(text(await other)).toBe("v");
      const early = AbortSignal.abort("before");
      const before = await bed.requests();
      const write = redis.command(["SET", "k", "w"], "write", { signal: early });
      expect(await failure(write)).toMatchObject({ code: "aborted", outcome: "fail" });
      expect(await bed.requests()).toBe(before);
    }));

  it("AD4 nothing that writes is sent twice, whatever goes wrong", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      for (const kind of ["dropBefore", "dropAfter", "status", "garbage"] as const) {
        const before = await bed.requests();
        await bed.fault({ kind, times: 1 });
        const error = await failure(redis.command(["INCR", kind], "write"));
        expect(error).toMatchObject({ code: "storage_unavailable", outcome: "unknown", retryable: true });
        expect(await bed.requests(), kind).toBe(before + 1);
        const done = kind === "dropAfter" || kind === "garbage" ? "1" : null;
        expect(await bed.text("GET", kind), kind).toBe(done);
      }
    }));

  it("AD4 reads are tried again within their time, with a bound", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      await redis.command(["SET", "k", "v"], "write");
      for (const kind of ["dropBefore", "dropAfter", "status", "garbage"] as const) {
        await bed.fault({ kind, times: 2 });
        expect(text(await redis.command(["GET", "k"], "read")), kind).toBe("v");
      }
      const before = await bed.requests();
      await bed.fault({ kind: "status", status: 503, times: 9 });
      const error = await failure(redis.command(["GET", "k"], "read"));
      expect(error).toMatchObject({ code: "storage_unavailable", outcome: "fail" });
      expect(await bed.requests()).toBe(before + 3);
    }));

  it("AD1 calls are carried out one by one and as they are given: a read between two writes sees the first", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      const before = await bed.requests();
      await redis.command(["SET", "k", "1"], "write");
      const seen = redis.command(["GET", "k"], "read");
      expect(text(await seen)).toBe("1");
      await Promise.all(["a", "b", "c"].map((key) => redis.command(["SET", key, "x"], "write")));
      expect(await bed.requests()).toBe(before + 5);
    }));

  it("SE6 errors name neither values nor tokens", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      const secret = "s3cr3t-value";
      await redis.command(["SET", "text", secret], "write");
      const calls = [
        () => redis.command(["LPUSH", "text", secret], "write"),
        () => redis.command(["NOSUCH", secret], "write"),
        () => redis.script(new Script("error(ARGV[1])"), [], [secret], "write"),
        () => redis.script(new Script("return redis.call('INCR', KEYS[1])"), ["text"], [secret], "write"),
        () => client(bed, { token: "another-token" }).command(["SET", "k", secret], "write"),
        () => client({ url: "http://127.0.0.1:1", token: bed.token }).command(["SET", "k", secret], "write"),
      ];
      for (const call of calls) {
        const error = await failure(call());
        expect(error.code).toBe("storage_unavailable");
        const all = shown(error);
        for (const hidden of [secret, bed.token, "another-token"]) expect(all).not.toContain(hidden);
      }
    }));

  it("AD4 what Redis refuses is not done, what breaks in a script's middle is unknown", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      await bed.command("LPUSH", "list", "x");
      const wrong = await failure(redis.command(["INCR", "list"], "write"));
      expect(wrong).toMatchObject({ outcome: "fail", retryable: false, details: { redis: "WRONGTYPE" } });
      const token = await failure(client(bed, { token: "wrong" }).command(["INCR", "n"], "write"));
      expect(token).toMatchObject({ outcome: "fail", retryable: false, details: { redis: "WRONGPASS" } });
      const half = new Script("redis.call('SET', KEYS[1], 'x'); return redis.call('INCR', KEYS[2])");
      const broken = await failure(redis.script(half, ["half", "list"], [], "write"));
      expect(broken).toMatchObject({ code: "storage_unavailable", outcome: "unknown" });
      expect(await bed.text("GET", "half")).toBe("x");
      await bed.fault({ kind: "refuse", message: "LOADING Redis is loading the dataset in memory" });
      const loading = await failure(redis.command(["INCR", "n"], "write"));
      expect(loading).toMatchObject({ outcome: "fail", retryable: true });
      expect(await bed.text("GET", "n")).toBeNull();
    }));

  it("a script is sent once, and again where the server has forgotten it", () =>
    RedisBed.with(
      async (bed) => {
        const redis = client(bed);
        const script = new Script("return redis.call('INCR', KEYS[1]) -- é");
        const sends: number[] = [];
        for (const _ of [1, 2, 3]) {
          const before = await bed.requests();
          await redis.script(script, ["n"], [], "write");
          sends.push((await bed.requests()) - before);
          if (sends.length === 2) await bed.command("SCRIPT", "FLUSH");
        }
        expect(sends).toEqual([2, 1, 2]);
        expect(await bed.text("GET", "n")).toBe("3");
      },
      { own: true },
    ));

  it("AD4 a server that was killed is unavailable, and serves again when it is back", () =>
    RedisBed.with(
      async (bed) => {
        const redis = client(bed);
        await redis.command(["SET", "k", "v"], "write");
        await bed.server("kill");
        const read = await failure(redis.command(["GET", "k"], "read"));
        expect(read).toMatchObject({ code: "storage_unavailable", outcome: "fail" });
        const write = await failure(redis.command(["SET", "k", "w"], "write"));
        expect(write).toMatchObject({ code: "storage_unavailable", outcome: "unknown" });
        await bed.server("start");
        expect(text(await redis.command(["GET", "k"], "read"))).toBe("v");
      },
      { own: true },
    ));

  it("SE3 what is larger than the service takes is refused before it is sent", () =>
    RedisBed.with(
      async (bed) => {
        const before = await bed.requests();
        const value = "v".repeat(150_000);
        const error = await failure(
          client(bed, { maxRequestBytes: 100_000 }).command(["SET", "k", value], "write"),
        );
        expect(error).toMatchObject({ code: "batch_too_large", outcome: "fail", details: { max: 100_000 } });
        expect(await bed.requests()).toBe(before);
        const told = await failure(client(bed).command(["SET", "k", value], "write"));
        expect(told).toMatchObject({ code: "batch_too_large", outcome: "fail", retryable: false });
      },
      { maxRequestBytes: 100_000 },
    ));

  it("SE3 AD4 what is only too large together with a script that the server has to be told is not done, and says so", () =>
    RedisBed.with(
      async (bed) => {
        const script = new Script(`return redis.call('SET', KEYS[1], ARGV[1]) -- ${"s".repeat(10_000)}`);
        const small = client(bed, { maxRequestBytes: 100_000 });
        const write = () => small.script(script, ["k"], ["v".repeat(95_000)], "write");
        expect(await failure(write())).toMatchObject({ code: "batch_too_large", outcome: "fail" });
        expect(await bed.text("EXISTS", "k")).toBe(0);
      },
      { own: true },
    ));

  it("CO10 after close calls are refused, and what was under way ends", () =>
    RedisBed.with(async (bed) => {
      const redis = client(bed);
      await bed.fault({ kind: "delay", ms: 400 });
      const under = failure(redis.command(["SET", "k", "v"], "write"));
      realTimers.after(50, () => redis.close());
      expect(await under).toMatchObject({ code: "warp_closed", outcome: "unknown" });
      expect(await failure(redis.command(["GET", "k"], "read"))).toMatchObject({ code: "warp_closed" });
      redis.close();
    }));
});

describe("UpstashRedis", () => {
  it("OU4 options that can't be are refused by name, without being quoted", async () => {
    const good = { url: "https://x.upstash.io", token: "t0ken", timers: realTimers, random: seeded(1) };
    const wrong = [
      ["url", { url: "" }],
      ["url", { url: "x.upstash.io/t0ken" }],
      ["token", { token: "" }],
      ["token", { token: "t0ken\n" }],
      ["timeoutMs", { timeoutMs: 0 }],
      ["attempts", { attempts: 11 }],
      ["maxRequestBytes", { maxRequestBytes: 1 }],
    ] as const;
    for (const [field, options] of wrong) {
      const error = await failure(Promise.resolve().then(() => new UpstashRedis({ ...good, ...options })));
      expect(error).toMatchObject({ code: "invalid_argument", details: { field } });
      expect(error.message).not.toContain("t0ken");
    }
  });

  it("names scripts as Redis does", () => {
    expect(new Script("").sha).toBe("da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect(new Script("abc").sha).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
    expect(new Script("a".repeat(1_000)).sha).toBe("291e9a6c66994949b57ba5e650361e98fc36b1ba");
  });
});

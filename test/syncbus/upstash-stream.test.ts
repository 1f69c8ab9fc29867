import { describe, expect, it } from "vitest";
import type { LeaseEvent } from "../../src/syncbus/syncbus.ts";
import { upstashBus } from "../../src/syncbus/upstash/upstash-bus.ts";
import { codeOf, Ear, settle } from "../contract/syncbus.ts";
import { busHost } from "../support/bus-host.ts";
import { QuietRedis } from "../support/quiet-redis.ts";
import { withoutRedis } from "../support/redis-bridge/bed.ts";
import { seeded } from "../support/seeded.ts";
import { stream, withUpstashBuses as withBuses } from "../support/upstash-buses.ts";

const names = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `k${from + i}`);

describe.skipIf(withoutRedis !== undefined)("the bus over Upstash", () => {
  it("SB2 SB-08 each message arrives once in its order through answers that are lost, late, broken or errors", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end("one"), bed.end("other")];
      const ear = await Ear.on(other);
      const errors: unknown[] = [];
      other.onError((error) => errors.push(error));
      const told: string[] = [];
      const publish = async (key: string): Promise<void> => {
        told.push(key);
        const sent = one.publish({ key });
        await settle(bed);
        await sent;
      };
      for (const kind of ["dropBefore", "dropAfter", "status", "garbage", "slow", "delay"] as const) {
        for (const command of ["XADD", "XRANGE"]) {
          await bed.server.fault({ kind, command, ms: 40, status: 503 });
          await publish(`${kind} ${command}`);
        }
      }
      await settle(bed);
      expect(ear.heard).toEqual(told);
      expect(other.stats()).toMatchObject({ delivered: told.length, errors: 0 });
      // Those whose answer was lost stand there twice.
      expect(other.stats().duplicates).toBe(2);
    }));

  it("SB2 a stream that was trimmed past a node's place is told as an event of the empty prefix, and to leases as missed", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end(), bed.end(undefined, { polling: "driven" })];
      const ear = await Ear.on(other);
      const leases: LeaseEvent[] = [];
      await other.subscribeLease("lease0123456789ab", (event) => void leases.push(event));
      const sent = Promise.all(names(5).map((key) => one.publish({ key })));
      await bed.clock.advance(20);
      await sent;
      await bed.server.command("XTRIM", stream, "MAXLEN", "1");
      await settle(bed);
      expect(ear.heard).toEqual(["*"]);
      expect(leases).toMatchObject([{ lease: "lease0123456789ab", missed: true }]);
      await one.publish({ key: "after" });
      await settle(bed);
      expect(ear.heard).toEqual(["*", "after"]);
      expect(leases).toHaveLength(1);
    }));

  it("SB2 so is one that was lost, also where nothing or something else stands in its place by then", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end(), bed.end(undefined, { polling: "driven" })];
      const ear = await Ear.on(other);
      await one.publish({ key: "a" });
      await bed.server.command("DEL", stream);
      await settle(bed);
      expect(ear.heard).toEqual(["*"]);
      await one.publish({ key: "b" });
      await settle(bed);
      expect(ear.heard).toEqual(["*", "b"]);
      // A replica that lacked the end of the stream has taken over: others write what then has the very place that this node has read.
      const [[place]] = (await bed.server.text("XREVRANGE", stream, "+", "-", "COUNT", "1")) as [
        [string, string[]],
      ];
      await bed.server.command("DEL", stream);
      const entry = JSON.stringify({ n: "third", i: "another", e: [["k", "c", "id-c"]] });
      await bed.server.command("XADD", stream, place, "warp1", entry);
      await one.publish({ key: "d" });
      await settle(bed);
      expect(ear.heard).toEqual(["*", "b", "*"]);
      await one.publish({ key: "e" });
      await settle(bed);
      expect(ear.heard).toEqual(["*", "b", "*", "e"]);
    }));

  it("SB2 SB-07 while the server is down publications fail as unavailable and looks are told of; when it is back nothing is missing", () =>
    withBuses(
      async (bed) => {
        const [one, other] = [bed.end(), bed.end()];
        const ear = await Ear.on(other);
        const errors: { code?: string }[] = [];
        other.onError((error) => errors.push(error as { code?: string }));
        await one.publish({ key: "before" });
        await bed.server.server("kill");
        const lost = one.publish({ key: "down" }).catch((error: unknown) => error);
        for (let i = 0; i < 4; i++) {
          await bed.clock.advance(500);
          await bed.quiet();
        }
        expect(await lost).toMatchObject({ code: "unavailable", outcome: "unknown", retryable: true });
        expect((await one.health()).ok).toBe(false);
        expect(await codeOf(other.poll())).toBe("unavailable");
        expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["unavailable"]));
        await bed.server.server("start");
        expect(await one.health()).toEqual({ ok: true });
        await one.publish({ key: "after" });
        await settle(bed);
        expect(ear.heard).toEqual(["before", "after"]);
      },
      { own: true },
    ));

  it("SB-07 what nobody waits for any more is bounded: beyond 10,000 messages that Redis has not taken publications are `overloaded`", () =>
    withBuses(async (bed) => {
      const one = bed.end();
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      bed.redis.before = gate;
      const codes = new Map<unknown, number>();
      for (let burst = 0; burst < 11; burst++) {
        const sent = names(1_000, 1_000 * burst).map((key) =>
          codeOf(one.publish({ key }, { timeoutMs: 100 })),
        );
        await bed.clock.advance(200);
        for (const code of await Promise.all(sent)) codes.set(code, (codes.get(code) ?? 0) + 1);
      }
      expect(codes).toEqual(
        new Map([
          ["deadline_exceeded", 10_000],
          ["overloaded", 1_000],
        ]),
      );
      open();
      await bed.quiet();
      await one.publish({ key: "after" });
      expect(one.stats().published).toBe(10_001);
    }));

  it("SB-07 a request that ends with what began it holds up nobody: neither those who tell nor those who begin to listen", () =>
    withBuses(async (bed) => {
      const one = bed.end();
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      bed.redis.before = gate;
      const lost = one.publish({ key: "lost" }).catch((error: unknown) => error);
      const behind = one.publish({ key: "behind" });
      const other = bed.end(undefined, { polling: "driven" });
      void Ear.on(other);
      await bed.clock.advance(10_000);
      bed.redis.before = Promise.resolve();
      const ear = await Ear.on(other);
      // As long as three attempts may take.
      await bed.clock.advance(21_000);
      await one.publish({ key: "next" });
      await behind;
      expect(await lost).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
      await other.poll();
      await bed.clock.settle();
      expect(ear.heard).toEqual(["behind", "next"]);
      open();
      await bed.quiet();
      expect(one.stats().published).toBe(2);
    }));

  it("SB-09 an end that is closed while the stream does not answer gives up what waits, and is soon closed", () =>
    withBuses(
      async (bed) => {
        const one = bed.end();
        await bed.server.fault({ kind: "delay", command: "XADD", ms: 300, times: 100 });
        await bed.server.fault({ kind: "delay", command: "EVALSHA", ms: 300, times: 100 });
        const first = codeOf(one.publish({ key: "first" }));
        const sent = Promise.all(names(4_000).map((key) => one.publish({ key }).catch((error) => error)));
        await bed.clock.advance(20);
        const closed = one.close();
        const before = bed.redis.sent;
        for (let i = 0; i < 10; i++) {
          await bed.quiet();
          await bed.clock.advance(100);
        }
        await closed;
        expect(await first).toBe("deadline_exceeded");
        // The one that was under way, and one more that tries.
        expect(bed.redis.sent - before).toBeLessThanOrEqual(1);
        const outcomes = (await sent).map(({ outcome }: { outcome: string }) => outcome);
        expect(new Set(outcomes)).toEqual(new Set(["fail"]));
      },
      { timeoutMs: 100 },
    ));

  it("SB-09 a stream that does not answer in time is deadline_exceeded, of unknown outcome", () =>
    withBuses(
      async (bed) => {
        const one = bed.end();
        await bed.server.fault({ kind: "delay", command: "XADD", ms: 400, times: 3 });
        const late = one.publish({ key: "k" }).catch((error: unknown) => error);
        for (let i = 0; i < 5; i++) {
          await bed.quiet();
          await bed.clock.advance(200);
        }
        expect(await late).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
      },
      { timeoutMs: 100 },
    ));

  it("what stands in the stream and can't be read is told of, and may have been about anything", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      const errors: { code?: string }[] = [];
      other.onError((error) => errors.push(error as { code?: string }));
      const foreign: readonly (readonly string[])[] = [
        ["warp2", "{}"],
        ["warp1", "{}", "more", "1"],
        ["warp1", "no JSON"],
        ["warp1", "null"],
        ["warp1", JSON.stringify({ n: "x", i: "1", e: "k" })],
        ["warp1", JSON.stringify({ n: "x", i: "1", e: [["k", ""]] })],
        ["warp1", JSON.stringify({ n: "x", i: "1", e: [["k", "", "id"]] })],
        ["warp1", JSON.stringify({ n: "x", i: "1", e: [["?", "k", "id"]] })],
        ["warp1", JSON.stringify({ n: "x", i: "1", e: [["l", "no lease", "id"]] })],
        ["warp1", JSON.stringify({ n: "x".repeat(129), i: "1", e: [] })],
      ];
      for (const fields of foreign) await bed.server.command("XADD", stream, "*", ...fields);
      await one.publish({ key: "k" });
      await settle(bed);
      expect(ear.heard).toEqual(["k", "*"]);
      expect(errors).toHaveLength(foreign.length);
      expect(new Set(errors.map(({ code }) => code))).toEqual(
        new Set(["invalid_frame", "protocol_mismatch"]),
      );
    }));

  it("a node that begins anew at its cursor hears what was told meanwhile; one that begins without hears what follows", () =>
    withBuses(async (bed) => {
      const [one, before] = [bed.end(), bed.end("node")];
      expect(before.cursor).toBeUndefined();
      const first = await Ear.on(before);
      await one.publish({ key: "a" });
      await settle(bed);
      const { cursor = "" } = before;
      await before.close();
      expect(first.heard).toEqual(["a"]);
      await one.publish({ key: "b" });
      await settle(bed);
      await one.publish({ key: "b2" });
      await settle(bed);
      const [again, fresh] = [bed.end("node", { cursor }), bed.end()];
      const [later, now] = [await Ear.on(again), await Ear.on(fresh)];
      await one.publish({ key: "c" });
      await settle(bed);
      expect(later.heard).toEqual(["b", "b2", "c"]);
      expect(now.heard).toEqual(["c"]);
      for (const wrong of ["", "1-1", "x~y", "1-1~", `1-1~${"x".repeat(129)}`]) {
        expect(() => bed.end("node", { cursor: wrong })).toThrow(
          expect.objectContaining({ code: "invalid_cursor" }),
        );
      }
    }));

  it("looks come more often while something comes and less while nothing does, and end with the last subscription", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const looks = async (ms: number): Promise<number> => {
        const before = bed.redis.sent;
        for (let passed = 0; passed < ms; passed += 10) {
          await bed.clock.advance(10);
          await bed.quiet();
        }
        return bed.redis.sent - before;
      };
      expect(await looks(5_000)).toBe(0);
      const subscription = await other.subscribe({ prefix: "" }, () => {});
      // 100, 200, 400, 800, 1,600 and then 2,000 ms, each at most a quarter less.
      const quiet = await looks(10_000);
      expect(quiet).toBeGreaterThanOrEqual(8);
      expect(quiet).toBeLessThanOrEqual(12);
      await one.publish({ key: "k" });
      // That it is found makes the next pauses short.
      await looks(2_000);
      expect(await looks(10_000)).toBeLessThanOrEqual(8);
      await one.publish({ key: "k" });
      await other.poll();
      expect(await looks(200)).toBeGreaterThanOrEqual(2);
      await subscription.end();
      expect(bed.clock.timers).toBe(0);
      expect(await looks(10_000)).toBe(0);
    }));

  it("two who begin to listen at once begin at one place: what is told between their answers is heard", () =>
    withBuses(async (bed) => {
      const bus = bed.end(undefined, { polling: "driven" });
      const first = Ear.on(bus);
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      bed.redis.before = gate;
      const second = Ear.on(bus);
      const ear = await first;
      const redis = new QuietRedis(bed.server);
      await bed.end(undefined, { redis }).publish({ key: "k" });
      open();
      await second;
      await bus.poll();
      await bed.quiet();
      expect(ear.heard).toEqual(["k"]);
    }));

  it("a driven end looks when it is told to and never by itself; looks that are asked for together are shared", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end(), bed.end(undefined, { polling: "driven" })];
      await other.poll();
      expect(bed.redis.sent).toBe(0);
      const ear = await Ear.on(other);
      await one.publish({ key: "k" });
      await bed.clock.advance(60_000);
      await bed.quiet();
      expect([ear.heard, bed.clock.timers]).toEqual([[], 0]);
      const before = bed.redis.sent;
      await Promise.all([other.poll(), other.poll(), other.poll(), other.poll()]);
      // The first, and one that begins after the others were asked for.
      expect(bed.redis.sent - before).toBe(2);
      await bed.quiet();
      expect(ear.heard).toEqual(["k"]);
    }));

  it("names of any characters arrive, many of them at once, in entries of a bounded size; the stream's length is bounded", () =>
    withBuses(async (bed) => {
      const [one, other] = [
        bed.end(undefined, { maxEntries: 100 }),
        bed.end(undefined, { polling: "driven" }),
      ];
      const ear = await Ear.on(other);
      const odd = ["\n", "a\tb", '"\\', "ключ", "🔑", ";,~", "{t}", "k".repeat(512)];
      const sent = Promise.all(
        [...odd, ...names(600).map((name) => name.padEnd(250, "é"))].map((key) => one.publish({ key })),
      );
      await settle(bed);
      await sent;
      expect(ear.heard).toHaveLength(608);
      expect(ear.heard.slice(0, 8)).toEqual(odd);
      const entries = (await bed.server.text("XRANGE", stream, "-", "+")) as [string, [string, string]][];
      for (const [, [, text]] of entries) {
        expect(new TextEncoder().encode(text).length).toBeLessThan(10_000);
        expect(JSON.parse(text).e.length).toBeLessThanOrEqual(64);
      }
      for (let i = 0; i < 500; i++) await bed.server.command("XADD", stream, "*", "warp1", "x");
      await bed.clock.advance(20);
      await one.publish({ key: "k" });
      expect(Number(await bed.server.command("XLEN", stream))).toBeLessThanOrEqual(300);
      await settle(bed);
      expect(ear.heard.slice(608)).toEqual(["*"]);
    }));

  it("AD3 spaces of one database don't hear each other, and the bus has no key but its stream", () =>
    withBuses(async (bed) => {
      const [one, other, away] = [bed.end(), bed.end(), bed.end(undefined, { space: "away" })];
      const [ear, far] = [await Ear.on(other), await Ear.on(away)];
      await one.publish({ key: "k" });
      await one.publishLeaseEnd("lease0123456789ab");
      await settle(bed);
      expect([ear.heard, far.heard]).toEqual([["k"], []]);
      expect(((await bed.server.text("KEYS", "*")) as string[]).sort()).toEqual(["warp:{away}:bus", stream]);
    }));

  it("AD4 a wrong token, an address where nobody answers and a key of another kind are told as what they are", () =>
    withBuses(async (bed) => {
      const { host } = bed;
      const at = (url: string, token: string) =>
        upstashBus({ ...host, redis: new QuietRedis({ url, token }), space: "test" });
      const stranger = at(bed.server.url, "wrong");
      const nobody = at("http://127.0.0.1:1", "token");
      for (const [bus, isRetryable] of [
        [stranger, false],
        [nobody, true],
      ] as const) {
        const failure = bus.subscribe({ prefix: "" }, () => {}).catch((error: unknown) => error);
        expect(await failure).toMatchObject({ code: "unavailable", retryable: isRetryable });
        expect(bus.stats().subscriptions).toBe(0);
        expect((await bus.health()).ok).toBe(false);
      }
      expect(host.clock.timers).toBe(0);
      await bed.server.command("SET", stream, "text");
      expect(await codeOf(bed.end().publish({ key: "k" }))).toBe("unavailable");
      expect(await codeOf(Ear.on(bed.end()))).toBe("unavailable");
    }));

  it("options out of their range are refused by name", async () => {
    const host = busHost();
    const redis = new QuietRedis({ url: "http://127.0.0.1:1", token: "token" });
    for (const options of [
      { maxEntries: 99 },
      { maxEntries: 1_000_001 },
      { pollMinMs: 9 },
      { pollMinMs: 60_001 },
      { pollMaxMs: 49 },
      { polling: "often" as "timer" },
      { node: "" },
    ]) {
      const [field] = Object.keys(options);
      expect(() => upstashBus({ ...host, redis, space: "test", ...options })).toThrow(
        expect.objectContaining({ code: "invalid_argument", details: expect.objectContaining({ field }) }),
      );
    }
    expect(() => upstashBus({ ...host, redis, space: "No" })).toThrow(
      expect.objectContaining({ code: "invalid_space" }),
    );
    // A database of one's own ends with the bus.
    const own = upstashBus({ ...host, url: "http://127.0.0.1:1", token: "token", space: "test" });
    await own.close();
    expect(await codeOf(own.poll())).toBe("warp_closed");
  });

  it("SB-08 an id that is given names the event, however often it is told", () =>
    withBuses(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      for (let i = 0; i < 3; i++) {
        const sent = one.publish({ key: "k" }, { id: "mine" });
        await settle(bed);
        await sent;
      }
      await one.publishLeaseEnd("lease0123456789ab", { id: "mine, too".replaceAll(/\W/g, "-") });
      await settle(bed);
      expect(ear.events.map(({ id }) => id)).toEqual(["mine"]);
      expect(other.stats().duplicates).toBe(2);
      expect(await codeOf(one.publish({ key: "k" }, { id: "" }))).toBe("invalid_argument");
      expect(await codeOf(one.publishLeaseEnd("lease0123456789ab", { id: "two words" }))).toBe(
        "invalid_argument",
      );
    }));
});

describe.skipIf(withoutRedis !== undefined)("a bus over Upstash under faults", () => {
  it.each([1, 2, 3, 4])(
    "SB1 SB2 three nodes hear of each other's messages once and in order while any request goes wrong, seed %i",
    (seed) =>
      withBuses(
        async (bed) => {
          const random = seeded(seed);
          const nodes = ["a", "b", "c"].map((node) => bed.end(node, { polling: "driven" }));
          const ears = await Promise.all(nodes.map((node) => Ear.on(node)));
          for (const kind of ["dropBefore", "dropAfter", "status"] as const) {
            await bed.server.fault({ kind, share: 0.08, times: 10_000, status: 500 });
          }
          const told = nodes.map((): string[] => []);
          for (let step = 0; step < 30; step++) {
            const at = (random.bytes(1)[0] ?? 0) % 3;
            const keys = [`${step}x`, `${step}y`, `${step}z`];
            let isDone = false;
            const sent = Promise.all(keys.map((key) => nodes[at]?.publish({ key })));
            const end = (): void => {
              isDone = true;
            };
            // What failed may stand there, or may not.
            sent
              .then(
                () => told[at]?.push(...keys),
                () => undefined,
              )
              .then(end, end);
            while (!isDone) await settle(bed);
          }
          await bed.server.clearFaults();
          await settle(bed);
          for (const [at, ear] of ears.entries()) {
            expect(new Set(ear.heard).size).toBe(ear.heard.length);
            for (const [from, keys] of told.entries()) {
              expect(keys.length).toBeGreaterThan(0);
              const heard = ear.heard.filter((key) => keys.includes(key));
              expect(heard, `${at} of ${from}`).toEqual(at === from ? [] : keys);
            }
          }
        },
        { seed },
      ),
  );
});

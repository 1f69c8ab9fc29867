import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { ReadState } from "../../src/watchbus/upstash/options.ts";
import { upstashWatchBus } from "../../src/watchbus/upstash/upstash-watch-bus.ts";
import type { WatchChange } from "../../src/watchbus/upstash/watch-entry.ts";
import type { Watch, WatchItem, WatchOptions } from "../../src/watchbus/watchbus.ts";
import { events, newOpId, publish, shortly, WatchTester } from "../contract/watchbus-bed.ts";
import { QuietRedis } from "../support/quiet-redis.ts";
import { withoutRedis } from "../support/redis-bridge/bed.ts";
import { seeded } from "../support/seeded.ts";
import {
  watchStream as stream,
  type UpstashWatchBed,
  withUpstashWatches as withBed,
} from "../support/upstash-watches.ts";

const text = (value: string) => ({ bytes: utf8(value), contentType: "text/plain" });

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    (answer) => expect.fail(`it answered ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  );
}

/** Lets time pass until `work` is settled. */
async function patiently<T>(bed: UpstashWatchBed, work: Promise<T>): Promise<T> {
  let isDone = false;
  const end = (): void => {
    isDone = true;
  };
  work.then(end, end);
  for (let turn = 0; turn < 50 && !isDone; turn++) await bed.advance(100);
  return await work;
}

describe.skipIf(withoutRedis !== undefined)("watching over Upstash", () => {
  it("without a way to the state `snapshot` is unsupported, and after a gap a watch goes on with what follows", () =>
    withBed(async (bed) => {
      const bare = { state: undefined } as never;
      const bus = bed.open(bare);
      expect(bus.supports).toEqual({
        resume: true,
        snapshot: false,
        publish: true,
        remote: true,
        presence: false,
      });
      const refused = await failure(bus.watch({ key: "k" }, { from: "snapshot" }));
      expect(refused).toMatchObject({ code: "unsupported" });
      const watch = await WatchTester.open(bed, { prefix: "" }, {}, bus);
      await bed.set("a", "1");
      expect(await watch.told()).toEqual(["set a=1"]);
      await bed.server.command("DEL", stream);
      await bed.set("a", "2");
      await bed.advance(100);
      expect(watch.items.splice(0).map(shortly)).toEqual(["gap epoch"]);
      expect(watch.watch.cursor).toBeDefined();
      await bed.set("a", "3");
      expect(await watch.told()).toEqual(["set a=3"]);
    }));

  it("WA2 a stream that was lost, or whose end was, is a gap: no revision is given twice that a node has seen", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      for (const value of ["1", "2", "3"]) await bed.set("a", value);
      const before = events(await watch.news());
      // A replica that lacks the last entry takes over.
      const [[last]] = (await bed.server.text("XREVRANGE", stream, "+", "-", "COUNT", "1")) as [
        [string, string[]],
      ];
      await bed.server.command("XDEL", stream, last);
      const others = (await bed.server.text("XRANGE", stream, "-", "+")) as [string, string[]][];
      await bed.server.command("DEL", stream);
      for (const [place, fields] of others) await bed.server.command("XADD", stream, place, ...fields);
      await bed.set("b", "1");
      const [gap, ...state] = await watch.news();
      expect([gap, ...state].map((item) => item && shortly(item))).toEqual(["gap epoch", "[a=3 b=1]!"]);
      await bed.set("b", "2");
      const [after] = events(await watch.news());
      expect(after?.revision).toBeGreaterThan(before.at(-1)?.revision ?? 0);
      // Others have written what then has the very place that this node has read.
      const all = (await bed.server.text("XRANGE", stream, "-", "+")) as [string, string[]][];
      await bed.server.command("DEL", stream);
      for (const [place, [e = "", epoch = "", i = "", id = "", ...rest]] of all) {
        await bed.server.command("XADD", stream, place, e, epoch, i, `${id}!`, ...rest);
      }
      await bed.set("b", "3");
      expect((await watch.told())[0]).toBe("gap compacted");
      const old = { from: { cursor: before[0]?.cursor ?? "" } };
      expect((await (await WatchTester.open(bed, { key: "b" }, old)).told())[0]).toBe("gap epoch");
    }));

  it("WA2 what a node has only read is seen, too: after a loss that it notices no cursor means two things", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      const writer = bed.open();
      for (const key of ["a", "b", "c"]) await writer.tell([{ kind: "delete", key }]);
      const before = events(await watch.news());
      expect(before).toHaveLength(3);
      await writer.close();
      // A replica that lacks the last two takes over, and only who has read them is still there.
      const all = (await bed.server.text("XRANGE", stream, "-", "+")) as [string, string[]][];
      await bed.server.command("DEL", stream);
      for (const [place, fields] of all.slice(0, -2)) {
        await bed.server.command("XADD", stream, place, ...fields);
      }
      expect((await watch.told())[0]).toBe("gap epoch");
      const other = bed.open();
      for (const key of ["d", "e", "f", "g"]) await other.tell([{ kind: "delete", key }]);
      const from = { cursor: before[1]?.cursor ?? "" };
      const resumed = await WatchTester.open(bed, { prefix: "" }, { from }, bed.open());
      expect((await resumed.told())[0]).toBe("gap epoch");
    }));

  it("WA4 changes while the state is read are not lost, however the storage counts its versions", () =>
    withBed(async (bed) => {
      const writer = bed.open();
      /** What is known of `k` to who watches while all this happens between the watch's beginning and the state's end. */
      const known = async (
        version: number,
        value: string,
        before: readonly WatchChange[],
        after: readonly WatchChange[],
        ops: WatchOptions["ops"] = ["set", "delete"],
      ): Promise<string | undefined> => {
        const state: ReadState = async () => {
          for (const change of before) await writer.tell([change]);
          const items = [{ key: "k", version, payload: text(value) }];
          for (const change of after) await writer.tell([change]);
          return { items, more: false };
        };
        const options = { from: "snapshot", ops } as const;
        const watch = await WatchTester.open(bed, { key: "k" }, options, bed.open({ state }));
        let is: string | undefined;
        for (const item of await watch.news()) {
          if (item.kind === "snapshot") is = shortly(item).slice(1, -2) || undefined;
          if (item.kind === "delete") is = undefined;
          if (item.kind === "set") is = shortly(item).slice(4);
        }
        watch.watch.end();
        return is;
      };
      const set = (value: string, version?: number): WatchChange => ({
        ...{ kind: "set", key: "k", payload: text(value) },
        ...(version === undefined ? {} : { version }),
      });
      const gone = { kind: "delete", key: "k" } as const;
      // Versions that are far beyond the stream's revisions.
      expect(await known(1_000_000, "old", [], [gone])).toBeUndefined();
      expect(await known(1_000_000, "old", [], [set("new")])).toBe("k=new");
      expect(await known(1_000_000, "old", [], [gone, set("new", 1)])).toBe("k=new");
      // Versions that begin anew with each life of a key.
      expect(await known(1, "new", [gone, set("new", 1)], [])).toBe("k=new");
      expect(await known(7, "old", [], [gone, set("new", 1)])).toBe("k=new");
      expect(await known(7, "old", [], [gone, set("new", 1)], ["set"])).toBe("k=new");
      // What is older than the state is not told.
      expect(await known(7, "now", [set("5", 5), set("6", 6), set("now", 7)], [])).toBe("k=now");
    }));

  it("WA2 a change whose answer was lost is told once; a passing publication of unknown fate is not sent again", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      await bed.server.fault({ kind: "dropAfter", command: "EVALSHA" });
      await bed.set("a", "1");
      await bed.server.fault({ kind: "dropBefore", command: "EVALSHA" });
      await bed.set("a", "2");
      await bed.server.fault({ kind: "dropAfter", command: "EVALSHA" });
      await publish(bed, bed.teller, { key: "a" }, "kept", { retained: true });
      await bed.server.fault({ kind: "dropAfter", command: "EVALSHA" });
      const payload = text("passing");
      const lost = bed.teller.publish({ key: "a" }, payload, { opId: newOpId(bed) });
      expect(await failure(bed.done(lost))).toMatchObject({ code: "unavailable", outcome: "unknown" });
      expect(await watch.told()).toEqual(["set a=1", "set a=2", "publish a=kept", "publish a=passing"]);
    }));

  it("WA2 while the server is down looks are told of and writes fail; when it is back the watch goes on where it was", () =>
    withBed(
      async (bed) => {
        const watch = await WatchTester.open(bed, { prefix: "" });
        await bed.set("a", "1");
        expect(await watch.told()).toEqual(["set a=1"]);
        await bed.server.server("kill");
        const lost = patiently(bed, bed.teller.tell([{ kind: "delete", key: "a" }]));
        expect(await failure(lost)).toMatchObject({ code: "unavailable", outcome: "unknown" });
        expect(watch.end).toBeUndefined();
        expect(bed.errors.length).toBeGreaterThan(0);
        expect(await failure(bed.teller.watch({ key: "k" }))).toMatchObject({ code: "unavailable" });
        await bed.server.server("start");
        await bed.set("a", "2");
        expect(await watch.told()).toEqual(["set a=2"]);
      },
      { own: true },
    ));

  it("WA2 an entry that can't be read is a gap and then the state; what follows it is told", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      await bed.set("a", "1");
      expect(await watch.told()).toEqual(["set a=1"]);
      const [[place, [, epoch]]] = (await bed.server.text("XREVRANGE", stream, "+", "-", "COUNT", "1")) as [
        [string, [string, string]],
      ];
      const next = `${Number(place.split("-")[0]) + 1}-0`;
      await bed.server.command("XADD", stream, next, "e", epoch, "i", "x", "d", '[["?","k"]]');
      expect(await watch.told()).toEqual(["gap compacted", "[a=1]!"]);
      await bed.set("a", "2");
      expect(await watch.told()).toEqual(["set a=2"]);
      // Another program's: a life of its own begins behind it.
      await bed.server.command("XADD", stream, "*", "field", "value");
      await bed.set("a", "3");
      expect((await watch.told())[0]).toBe("gap epoch");
      await bed.set("a", "4");
      expect(await watch.told()).toEqual(["set a=4"]);
    }));

  it("WA8 while nobody watches nothing looks; idle looks are few, whatever the number of watches; a driven end looks when told to", () =>
    withBed(async (bed) => {
      const { clock, redis } = bed;
      const looks = async (ms: number): Promise<number> => {
        const before = redis.sent;
        for (let passed = 0; passed < ms; passed += 10) {
          await clock.advance(10);
          await redis.quiet(() => clock.settle());
        }
        return redis.sent - before;
      };
      expect(await looks(10_000)).toBe(0);
      const bus = bed.open();
      const watches = await Promise.all(
        Array.from({ length: 20 }, (_, i) => WatchTester.open(bed, { key: `k${i}` }, {}, bus)),
      );
      await looks(5_000);
      expect(await looks(10_000)).toBeLessThanOrEqual(8);
      for (const { watch } of watches) watch.end();
      expect(clock.timers).toBe(0);
      expect(await looks(10_000)).toBe(0);
      const driven = bed.open({ polling: "driven" });
      const watch = await WatchTester.open(bed, { prefix: "" }, {}, driven);
      await bed.set("a", "1");
      await looks(10_000);
      expect([watch.items, clock.timers]).toEqual([[], 0]);
      await driven.poll();
      await redis.quiet(() => clock.settle());
      expect(watch.items.map(shortly)).toEqual(["set a=1"]);
    }));

  it("versions of the storage are told as they are; deletes, large values and many changes at once, too", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      await bed.teller.tell([
        { kind: "set", key: "a", payload: text("1"), version: 77 },
        {
          kind: "set",
          key: "large",
          payload: { bytes: new Uint8Array(20_000), contentType: "x/y" },
          version: 78,
        },
        { kind: "delete", key: "b" },
      ]);
      const told = events(await watch.news());
      expect(told.map(({ kind, key, version, omitted }) => [kind, key, version, omitted])).toEqual([
        ["set", "a", 77, undefined],
        ["set", "large", 78, true],
        ["delete", "b", 0, undefined],
      ]);
      const many = Array.from({ length: 1_000 }, (_, i) => ({
        kind: "set" as const,
        key: `k${i}`,
        payload: { bytes: bed.random.bytes(4_000), contentType: "x/y" },
      }));
      await bed.teller.tell(many);
      const all = events(await watch.news());
      expect(all).toHaveLength(1_000);
      // 1 MiB of values in all.
      expect(all.filter(({ payload }) => payload !== undefined)).toHaveLength(262);
      for (const changes of [[], [...many, ...many]]) {
        expect(await failure(bed.teller.tell(changes))).toMatchObject({ code: "batch_too_large" });
      }
      expect(await failure(bed.teller.tell([{ kind: "delete", key: "" }]))).toMatchObject({
        code: "invalid_key",
      });
    }));

  it("WA7 a reader that is far behind is told in parts of a bounded size", () =>
    withBed(async (bed) => {
      const watch: Watch = await bed.done(bed.teller.watch({ prefix: "" }));
      const bytes = bed.random.bytes(60_000);
      for (let i = 0; i < 60; i++) {
        const payload = { bytes, contentType: "x/y" };
        await bed.teller.publish({ key: "k" }, payload, { opId: newOpId(bed), retained: true });
      }
      const parts: (readonly WatchItem[])[] = [];
      for await (const items of watch) {
        parts.push(items);
        if (parts.flat().length === 60) break;
      }
      expect(Math.max(...parts.map((part) => part.length))).toBeLessThan(40);
      expect(parts.length).toBeGreaterThan(1);
    }));

  it("WA8 what nobody waits for any more is bounded: beyond 64 MiB that Redis has not taken changes are `overloaded`", () =>
    withBed(async (bed) => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const redis = new QuietRedis({ url: "http://127.0.0.1:1", token: "token" });
      redis.before = gate;
      const bus = bed.open({ redis });
      const payload = { bytes: new Uint8Array(16_000), contentType: "x/y" };
      const changes = Array.from({ length: 64 }, (_, i) => ({ kind: "set", key: `k${i}`, payload }) as const);
      const tell = async (): Promise<unknown> => {
        const told = failure(bus.tell(changes, { timeoutMs: 100 }));
        await bed.clock.advance(100);
        return ((await told) as { readonly code?: string }).code;
      };
      const codes: unknown[] = [];
      for (let i = 0; i < 52; i++) codes.push(await tell());
      expect(codes.indexOf("overloaded")).toBeGreaterThan(45);
      expect(new Set(codes)).toEqual(new Set(["deadline_exceeded", "overloaded"]));
      // What has failed is let go of.
      redis.close();
      open();
      await redis.quiet(() => bed.clock.settle());
      expect(await tell()).not.toBe("overloaded");
    }));

  it("WA2 a request that ends with what began it holds up nobody who tells", () =>
    withBed(async (bed) => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      bed.redis.before = gate;
      const lost = failure(bed.teller.tell([{ kind: "delete", key: "lost" }]));
      await bed.clock.settle();
      const behind = bed.teller.tell([{ kind: "delete", key: "behind" }]);
      await bed.clock.advance(31_000);
      bed.redis.before = Promise.resolve();
      await bed.teller.tell([{ kind: "delete", key: "next" }]);
      await behind;
      expect(await lost).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
      open();
      await bed.redis.quiet(() => bed.clock.settle());
    }));

  it("WA2 what is kept is told though its answer was lost, also beside passing publications of the same moment", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      await bed.set("a", "1");
      await bed.server.fault({ kind: "dropAfter", command: "EVALSHA" });
      const told = bed.teller.tell([{ kind: "delete", key: "a" }]);
      const passing = bed.teller.publish({ key: "a" }, text("x"), { opId: newOpId(bed) });
      await bed.done(Promise.all([told, passing]));
      expect(await watch.told()).toEqual(["set a=1", "delete a", "publish a=x"]);
    }));

  it("WA8 an end that is closed while the stream fails gives up what waits, and is soon closed", () =>
    withBed(async (bed) => {
      const bus = bed.open();
      await bed.server.fault({ kind: "status", status: 503, times: 100 });
      const told = Promise.all(
        Array.from({ length: 1_000 }, (_, i) => failure(bus.tell([{ kind: "delete", key: `k${i}` }]))),
      );
      await bed.clock.settle();
      const before = bed.redis.sent;
      const closed = bus.close();
      await patiently(bed, closed);
      const outcomes = (await told).map((error) => (error as { readonly outcome: string }).outcome);
      // Five batches of which one was sent, three times in all.
      expect(outcomes.filter((outcome) => outcome === "unknown")).toHaveLength(200);
      expect(outcomes.filter((outcome) => outcome === "fail")).toHaveLength(800);
      expect(bed.redis.sent - before).toBeLessThanOrEqual(3);
    }));

  it("WA2 a host that slept for an hour over a request does not tell again what Redis can no longer know", () =>
    withBed(async (bed) => {
      await bed.set("a", "1");
      const { promise: gate, resolve: wake } = Promise.withResolvers<void>();
      bed.redis.before = gate;
      await bed.server.fault({ kind: "dropAfter", command: "EVALSHA" });
      const told = failure(bed.teller.tell([{ kind: "delete", key: "a" }]));
      await bed.clock.advance(3_600_000);
      const before = bed.redis.sent;
      wake();
      expect(await told).toMatchObject({ code: "unavailable", outcome: "unknown" });
      expect(bed.redis.sent).toBe(before);
    }));

  it("AD3 AD4 spaces don't hear each other; a wrong token, and a key of another kind, end as what they are", () =>
    withBed(async (bed) => {
      const away = bed.open({ space: "away" });
      const far = await WatchTester.open(bed, { prefix: "" }, {}, away);
      await bed.set("a", "1");
      await publish(bed, bed.teller, { key: "a" }, "kept", { retained: true });
      expect(await far.told()).toEqual([]);
      const names = (await bed.server.text("KEYS", "*")) as string[];
      for (const name of names) expect(name).toMatch(/^warp:\{(test|away)\}:watch(:ops:[0-9]+)?$/);
      expect(
        Number(await bed.server.command("PTTL", names.find((name) => name.includes("ops")) ?? "")),
      ).toBeGreaterThan(0);
      const stranger = bed.open({ redis: new QuietRedis({ url: bed.server.url, token: "wrong" }) });
      expect(await failure(stranger.watch({ key: "k" }))).toMatchObject({
        code: "unavailable",
        retryable: false,
      });
      const watch = await WatchTester.open(bed, { prefix: "" });
      await bed.server.command("SET", stream, "text");
      await bed.advance(3_000);
      expect(await failure(patiently(bed, bed.teller.tell([{ kind: "delete", key: "a" }])))).toMatchObject({
        code: "unavailable",
      });
      expect(watch.watch.cursor).toBeDefined();
    }));

  it("options out of their range are refused by name", () =>
    withBed(async (bed) => {
      for (const options of [
        { maxEntries: 99 },
        { maxEntries: 1.5 },
        { pollMinMs: 1 },
        { pollMaxMs: 70_000 },
      ]) {
        const [field] = Object.keys(options);
        expect(() => bed.open(options)).toThrow(
          expect.objectContaining({ code: "invalid_argument", details: expect.objectContaining({ field }) }),
        );
      }
      expect(() => bed.open({ space: "No" })).toThrow(expect.objectContaining({ code: "invalid_space" }));
      const { clock, random } = bed;
      const own = upstashWatchBus({
        url: "http://127.0.0.1:1",
        token: "token",
        space: "test",
        clock,
        timers: clock,
        random,
        background: { run: () => undefined },
      });
      await own.close();
      expect(await failure(own.poll())).toMatchObject({ code: "warp_closed" });
    }));
});

describe.skipIf(withoutRedis !== undefined)("watching over Upstash under faults", () => {
  it.each([1, 2])(
    "WA2 every change that was taken is told once and in its order, or a gap says that it can't be, seed %i",
    (seed) =>
      withBed(
        async (bed) => {
          const random = seeded(seed);
          const writers = ["a", "b", "c"].map((name) => ({
            name,
            bus: bed.open({ state: undefined as never }),
            taken: [] as number[],
          }));
          const watches = await Promise.all(
            [1, 2].map(() =>
              WatchTester.open(bed, { prefix: "" }, {}, bed.open({ state: undefined as never })),
            ),
          );
          for (const kind of ["dropBefore", "dropAfter", "status"] as const) {
            await bed.server.fault({ kind, share: 0.06, times: 10_000, status: 503 });
          }
          let gaps = 0;
          const told: { readonly item: WatchItem; readonly step: number }[][] = watches.map(() => []);
          for (let step = 0; step < 40; step++) {
            const writer = random.pick(writers);
            const isTrimmed = random.below(8) === 0;
            const numbers = isTrimmed ? [step, step + 0.1, step + 0.2] : [step];
            const work = numbers.map(async (number) => {
              const change = { kind: "set", key: `${writer.name}${number}`, payload: text("v") } as const;
              await writer.bus.tell([change]);
              writer.taken.push(number);
            });
            if (isTrimmed) {
              // Before anybody has looked.
              await bed.redis.quiet(() => bed.clock.settle());
              await bed.server.command("XTRIM", stream, "MAXLEN", "1");
              gaps++;
            }
            await patiently(bed, Promise.allSettled(work));
            for (const [i, watch] of watches.entries()) {
              if (random.below(3) === 0) await bed.advance(100);
              told[i]?.push(...watch.items.splice(0).map((item) => ({ item, step })));
            }
          }
          await bed.server.clearFaults();
          for (let round = 0; round < 5; round++) await bed.advance(3_000);
          for (const [i, watch] of watches.entries()) {
            const list = [...(told[i] ?? []), ...watch.items.map((item) => ({ item, step: 40 }))];
            const keys = list.flatMap(({ item }) => (item.kind === "set" ? [item.key] : []));
            expect(new Set(keys).size).toBe(keys.length);
            expect(watch.end).toBeUndefined();
            for (const { name, taken } of writers) {
              const heard = keys.flatMap((key) => (key.startsWith(name) ? [Number(key.slice(1))] : []));
              expect(heard).toEqual([...heard].sort((one, other) => one - other));
              for (const step of taken.filter((one) => !heard.includes(one))) {
                const isGap = list.some(
                  ({ item, step: then }) => item.kind === "gap" && then >= Math.floor(step),
                );
                expect(isGap, `watch ${i} misses ${name}${step}`).toBe(true);
              }
            }
          }
          expect(gaps).toBeGreaterThan(0);
          expect(writers.flatMap(({ taken }) => taken).length).toBeGreaterThan(25);
        },
        { seed },
      ),
  );
});

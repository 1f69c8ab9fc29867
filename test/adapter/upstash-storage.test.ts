import { describe, expect, it } from "vitest";
import { type UpstashAdapter, upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { formatETag } from "../../src/protocol/position.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { jsonCodec } from "../../src/runtime/codec.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { codeOf, failure, okay, Tester } from "../contract/adapter-bed.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

interface World {
  readonly bed: RedisBed;
  /** The name of a key in Redis. */
  name(key: string): string;
  /** A new node. */
  node(options?: { readonly space?: string; readonly time?: "server"; readonly timeoutMs?: number }): Node;
}

interface Node {
  readonly t: Tester;
  readonly adapter: UpstashAdapter;
}

async function world(work: (world: World) => Promise<void>, own = false): Promise<void> {
  await RedisBed.with(
    async (bed) => {
      const random = seeded(1);
      const clock = new ManualTime();
      const node: World["node"] = ({ space = "test", timeoutMs = 10_000, ...options } = {}) => {
        const { time = "node" } = options;
        const { url, token } = bed;
        const redis = new UpstashRedis({ url, token, timers: realTimers, random, timeoutMs });
        const adapter = upstashAdapter({ redis, random, space, clock, time });
        const open = () => adapter;
        return { adapter, t: new Tester({ time: clock, random, open }) };
      };
      await work({ bed, node, name: (key) => `warp:{test}:v:${key}` });
    },
    { own },
  );
}

describe.skipIf(withoutRedis !== undefined)("Upstash adapter", () => {
  it("AD3 all of a space begins with its prefix, and spaces don't collide", () =>
    world(async ({ bed, node }) => {
      const [one, other] = [node().t, node({ space: "other" }).t];
      await one.set("k", "one", { expiresInMs: 1_000 });
      await one.register("k*", {});
      await other.set("k", "two");
      expect([await one.text("k"), await other.text("k")]).toEqual(["one", "two"]);
      const names = (await bed.text("KEYS", "*")) as string[];
      expect(names.filter((name) => !/^warp:\{(test|other)\}:/.test(name))).toEqual([]);
      expect(names).toContain("warp:{other}:v:k");
      expect(await failure(Promise.resolve().then(() => node({ space: "a:b" })))).toMatchObject({
        code: "invalid_space",
      });
    }));

  it("AD1 what is stored is ASCII, whatever is in it", () =>
    world(async ({ bed, node, name }) => {
      const { t } = node();
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const payload = { bytes, contentType: "text/é; a=\u0000;\ud800" };
      await t.set("k", bytes, { payload, tags: ["ü,;", "b"] });
      expect(await bed.text("GET", name("k"))).toMatch(/^warp1;[\x20-\x7e]+$/);
      const contentType = payload.contentType.toWellFormed();
      expect(await t.entry("k")).toMatchObject({ payload: { bytes, contentType }, tags: ["ü,;", "b"] });
    }));

  it("AD6 values that others wrote in plain form are read, typed by what they are, and stay as they are", () =>
    world(async ({ bed, node, name }) => {
      const { t } = node();
      const plain = { number: "5", json: '{"a":1}', text: "é; #text", empty: "" };
      for (const [key, value] of Object.entries(plain)) await bed.command("SET", name(key), value);
      await bed.command("SETRANGE", name("bits"), "3", "x");
      await bed.command("SETBIT", name("bits"), "0", "1");
      await bed.command("RPUSH", name("list"), "x");
      expect(jsonCodec.decode((await t.entry("number"))?.payload ?? expect.fail())).toBe(5);
      expect(await t.json("json")).toEqual({ a: 1 });
      expect((await t.entry("text"))?.payload.contentType).toBe("text/plain; charset=utf-8");
      expect([await t.text("text"), await t.text("empty")]).toEqual(["é; #text", ""]);
      expect((await t.adapter.list({ prefix: "text", values: true })).items[0]).toMatchObject({
        sizeBytes: 9,
      });
      expect((await t.adapter.list({ prefix: "text" })).items[0]).toMatchObject({ sizeBytes: 9 });
      expect((await t.entry("bits"))?.payload).toEqual({
        bytes: Uint8Array.of(128, 0, 0, 120),
        contentType: "application/octet-stream",
      });
      expect(await t.entry("list")).toBeUndefined();
      for (const [key, value] of Object.entries(plain)) expect(await bed.text("GET", name(key))).toBe(value);
      expect(await t.keys()).toEqual(["bits", "empty", "json", "number", "text"]);
    }));

  it("AD6 a plain value has a version: the same for all who read it, another when it has changed", () =>
    world(async ({ bed, node, name }) => {
      const [one, other] = [node().t, node().t];
      await bed.command("SET", name("k"), "5");
      const first = (await one.adapter.getMany(["k"]))[0] ?? expect.fail();
      const version = first.entry?.version ?? 0;
      expect(version).toBeGreaterThan(0);
      expect((await other.entry("k"))?.version).toBe(version);
      await bed.command("INCR", name("k"));
      expect(await other.text("k")).toBe("6");
      const { changes } = await one.adapter.changes(first.asOf);
      expect(changes).toEqual([{ revision: version + 1, kind: "set", key: "k" }]);
      const when = (of: number) => ({ anyOf: [formatETag(first.asOf.epoch, of)] });
      expect(codeOf(await one.set("k", "7", { when: when(version) }))).toBe("precondition_failed");
      expect(okay(await one.set("k", "7", { when: when(version + 1) }))).toMatchObject({ existed: true });
      expect(await bed.text("GET", name("k"))).toMatch(/^warp1;/);
      // The very value from before is a change, too.
      await bed.command("SET", name("k"), "6");
      expect((await one.entry("k"))?.version).toBeGreaterThan(version + 2);
    }));

  it("AD2 AD6 keys that others wrote and removed are taken in and let go, and the log says so", () =>
    world(async ({ bed, node, name }) => {
      const { t, adapter } = node();
      await t.set("mine", "1");
      const { asOf } = await t.one(t.setting("gone", "1"));
      for (let i = 0; i < 1_200; i++) await bed.command("SET", name(`k${i}`), `${i}`);
      await bed.command("DEL", name("gone"));
      expect(await t.keys()).toEqual(["mine"]);
      let cursor: string | undefined;
      do cursor = await adapter.adopt(cursor);
      while (cursor !== undefined);
      expect(await t.keys()).toHaveLength(1_201);
      const { changes } = await adapter.changes(asOf);
      expect(changes[0]).toMatchObject({ kind: "delete", key: "gone" });
      expect(changes.slice(1).every(({ kind }) => kind === "set")).toBe(true);
      expect(new Set(changes.map(({ key }) => key)).size).toBe(1_201);
    }));

  it("AD6 SB1 a plain value that was removed and comes again is a new one: listed, and of no version from before", () =>
    world(async ({ bed, node, name }) => {
      const { t } = node();
      for (const key of ["listed", "taken"]) await bed.command("SET", name(key), "same");
      const first = { listed: await t.entry("listed"), taken: await t.entry("taken") };
      for (const key of ["listed", "taken"]) await bed.command("DEL", name(key));
      // One of them is noticed by a list, the other by a write.
      expect(await t.keys("listed")).toEqual([]);
      const { version: mine } = okay(await t.set("taken", "mine"));
      for (const key of ["listed", "taken"]) await bed.command("SET", name(key), "same");
      expect((await t.entry("taken"))?.version).toBeGreaterThan(mine);
      expect((await t.entry("listed"))?.version).toBeGreaterThan(first.listed?.version ?? 0);
      expect(await t.keys()).toEqual(["listed", "taken"]);
    }));

  it("AD4 a stored form that can't be read is decode_failed, and may be overwritten", () =>
    world(async ({ bed, node, name }) => {
      const { t } = node();
      await t.set("k", "1");
      const form = (await bed.text("GET", name("k"))) as string;
      for (const broken of [`${form};x`, form.replace(/[^;]*$/, "%%%"), form.replace(/;[^;]*$/, "")]) {
        await bed.command("SET", name("k"), broken);
        expect(await failure(t.adapter.getMany(["k"]))).toMatchObject({ code: "decode_failed" });
      }
      expect(codeOf(await t.set("k", "2"))).toBe("ok");
      expect(await t.text("k")).toBe("2");
    }));

  it("AD4 AD6 a stored form that can't be read is named by lists, and does not stop the taking in of others' values", () =>
    world(async ({ bed, node, name }) => {
      const { t, adapter } = node();
      await t.set("a", "1");
      await t.set("broken", "1");
      await bed.command("SET", name("broken"), "warp1;0;1;2;;");
      await bed.command("SET", name("theirs"), "2");
      expect(await adapter.adopt()).toBeUndefined();
      expect((await failure(adapter.list())).details).toMatchObject({ key: "broken" });
    }));

  it("AD5 a list comes past any number of keys that others have removed, in pieces that hold nobody up", () =>
    world(async ({ bed, node }) => {
      const { t, adapter } = node();
      await t.set("a", "1");
      await t.set("z", "1");
      const script = "for i = 1, 12000 do redis.call('ZADD', KEYS[1], 0, 'gone' .. i) end";
      await bed.command("EVAL", script, "1", "warp:{test}:keys");
      const before = await bed.requests();
      const first = await adapter.list({ limit: 10 });
      expect(first.items.map(({ key }) => key)).toEqual(["a"]);
      expect(Number(await bed.text("ZCARD", "warp:{test}:keys"))).toBeGreaterThan(6_000);
      const second = await adapter.list({ limit: 10, cursor: first.cursor ?? expect.fail() });
      expect(second.items.map(({ key }) => key)).toEqual(["z"]);
      expect(second.cursor).toBeUndefined();
      expect((await bed.requests()) - before).toBe(3);
      expect(await bed.text("ZCARD", "warp:{test}:keys")).toBe(2);
    }));

  it("SB2 a storage that was emptied is another space: new epoch, new life", () =>
    world(async ({ bed, node }) => {
      const { t } = node();
      const { asOf } = await t.one(t.setting("k", "1"));
      await t.register("k", {});
      expect(t.adapter.life).toBe(0);
      await bed.command("FLUSHDB");
      expect(await t.adapter.changes(asOf)).toMatchObject({ changes: [], gap: "epoch" });
      expect(t.adapter.life).toBe(1);
      expect(t.adapter.registrationsSeen).toBe(0);
      expect(await t.entry("k")).toBeUndefined();
    }));

  it("SB2 a storage that has lost its newest writes gets a new epoch, and no version is given twice", () =>
    world(async ({ bed, node }) => {
      const [one, other] = [node().t, node().t];
      await one.set("kept", "1");
      const before = Number(await bed.text("HGET", "warp:{test}:meta", "rev"));
      const { asOf } = await one.one(one.setting("lost", "1"));
      const kept = (await other.entry("kept"))?.version ?? 0;
      // As a replica does that takes over before it has heard of the last write.
      await bed.command("HSET", "warp:{test}:meta", "rev", `${before}`);
      await bed.command("DEL", "warp:{test}:v:lost");
      const [answer] = await one.adapter.getMany(["kept"]);
      expect(answer?.asOf.epoch).not.toBe(asOf.epoch);
      expect(answer?.entry?.version).toBeGreaterThan(asOf.revision);
      expect(await other.adapter.changes(asOf)).toMatchObject({ gap: "epoch" });
      const when = { anyOf: [formatETag(asOf.epoch, kept)] };
      expect(codeOf(await other.set("kept", "2", { when }))).toBe("precondition_failed");
      expect(await other.keys()).toEqual(["kept"]);
      expect(await other.text("kept")).toBe("1");
    }));

  it("SB2 a storage that has lost registrations has them read again by nodes that knew them", () =>
    world(async ({ bed, node }) => {
      const { t, adapter } = node();
      const meta = "warp:{test}:meta";
      await t.set("k", "1");
      const [rev, regs] = (await bed.text("HMGET", meta, "rev", "regs")) as string[];
      await t.register("k*", {});
      const known = (await adapter.registrations()).version;
      await bed.command("HSET", meta, "rev", rev ?? "", "regs", regs ?? "");
      await bed.command("DEL", "warp:{test}:regs");
      await t.entry("k");
      expect(adapter.registrationsSeen).toBeGreaterThan(known);
      expect(await adapter.registrations()).toMatchObject({ list: [], version: adapter.registrationsSeen });
    }));

  it("AD4 OU3 a write whose answer is lost is unknown, and resolve tells what became of it", () =>
    world(async ({ bed, node }) => {
      const { t } = node();
      await t.set("k", "0");
      for (const kind of ["dropBefore", "dropAfter", "garbage"] as const) {
        const mutation = t.setting("k", kind);
        await bed.fault({ kind });
        const error = await failure(t.adapter.batch([mutation]));
        expect(error).toMatchObject({ code: "storage_unavailable", outcome: "unknown" });
        const [told] = await t.adapter.resolve([{ opId: mutation.opId, key: "k" }], { seal: true });
        expect(told?.state).toBe(kind === "dropBefore" ? "sealed" : "ok");
        // Whoever repeats it, late or not, changes nothing.
        const again = (await t.one(mutation)).verdict;
        if (kind === "dropBefore") expect(codeOf(again)).toBe("op_sealed");
        else expect(again).toMatchObject({ outcome: "ok", replayed: true });
      }
    }));

  it("AD-05 AD4 deadlines, a server that is gone, a node that is closed", () =>
    world(async ({ bed, node }) => {
      const { t } = node({ timeoutMs: 600 });
      await t.set("k", "1");
      await bed.fault({ kind: "delay", ms: 2_500, times: 2 });
      expect(await failure(t.adapter.batch([t.setting("k", "2")]))).toMatchObject({
        code: "storage_timeout",
        outcome: "unknown",
      });
      expect(await failure(t.adapter.getMany(["k"]))).toMatchObject({ code: "storage_timeout" });
      await bed.server("kill");
      expect(await failure(t.adapter.list())).toMatchObject({ code: "storage_unavailable" });
      expect(await failure(t.adapter.batch([t.setting("k", "3")]))).toMatchObject({
        code: "storage_unavailable",
        outcome: "unknown",
      });
      await bed.server("start");
      expect(await t.text("k")).toBe("2");
      await t.adapter.close();
      expect(await failure(t.adapter.list())).toMatchObject({ code: "warp_closed" });
    }, true));

  it("AD4 a call of several requests has one deadline for all of them", () =>
    RedisBed.with(async ({ url, token }) => {
      const [time, random] = [new ManualTime(), seeded(1)];
      // Each question for the time is a second later.
      const clock = {
        now() {
          time.advance(1_000);
          return time.now();
        },
      };
      const redis = new UpstashRedis({ url, token, timers: realTimers, random });
      const adapter = upstashAdapter({ redis, random, space: "test", clock, time: "node" });
      const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
      expect(await adapter.getMany(keys, { timeoutMs: 2_500 })).toHaveLength(10);
      expect(await failure(adapter.getMany(keys, { timeoutMs: 500 }))).toMatchObject({
        code: "storage_timeout",
        outcome: "fail",
      });
    }));

  it("AD-02 a batch is all or nothing, also through kill -9", () =>
    world(async ({ bed, node }) => {
      const { t } = node();
      const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
      let written = -1;
      for (let round = 0; round < 3; round++) {
        let alive = true;
        let underWay = (): void => undefined;
        const busy = new Promise<void>((resolve) => {
          underWay = resolve;
        });
        const writing = (async () => {
          for (let i = 0; alive; i++) {
            const value = round * 10_000 + i;
            const answers = await t.adapter.batch(keys.map((key) => t.setting(key, `${value}`)));
            if (answers.every(({ verdict }) => verdict.outcome === "ok")) written = value;
            if (i === 3) underWay();
          }
        })().catch(() => undefined);
        await busy;
        await new Promise<void>((resolve) => void realTimers.after(10 * round, resolve));
        await bed.server("kill");
        alive = false;
        await writing;
        await bed.server("start");
        const values = await t.adapter.getMany(keys);
        const seen = new Set(values.map(({ entry }) => fromUtf8(entry?.payload.bytes ?? new Uint8Array())));
        expect(seen.size).toBe(1);
        expect(Number([...seen][0])).toBeGreaterThanOrEqual(written);
        expect(written).toBeGreaterThanOrEqual(round * 10_000 + 3);
      }
    }, true));

  it("TX7 four nodes count to 200 by compare-and-set, and no step is lost", () =>
    world(async ({ node }) => {
      const nodes = Array.from({ length: 4 }, () => node().t);
      await nodes[0]?.set("n", "0");
      const refused = await Promise.all(
        nodes.map(async (t) => {
          let tries = 0;
          for (let step = 0; step < 50; ) {
            const [answer] = await t.adapter.getMany(["n"]);
            const { entry, asOf } = answer ?? expect.fail();
            const when = { anyOf: [formatETag(asOf.epoch, entry?.version ?? 0)] };
            const next = Number(fromUtf8(entry?.payload.bytes ?? new Uint8Array())) + 1;
            if (codeOf(await t.set("n", `${next}`, { when })) === "ok") step++;
            else tries++;
          }
          return tries;
        }),
      );
      expect(await nodes[1]?.text("n")).toBe("200");
      expect(refused.reduce((sum, tries) => sum + tries, 0)).toBeGreaterThan(0);
    }));

  it("a life ends by Redis's own clock, whatever the nodes' clocks say", () =>
    world(async ({ bed, node }) => {
      const { t } = node({ time: "server" });
      await t.set("k", "1", { expiresInMs: 1_500 });
      const { expiresInMs = 0, modifiedAtMs = 0 } = (await t.entry("k")) ?? {};
      expect(expiresInMs).toBeGreaterThan(0);
      expect(expiresInMs).toBeLessThanOrEqual(1_500);
      const [seconds] = (await bed.text("TIME")) as string[];
      expect(Math.abs(modifiedAtMs - Number(seconds) * 1_000)).toBeLessThan(5_000);
      await new Promise<void>((resolve) => void realTimers.after(expiresInMs + 5, resolve));
      expect(await t.entry("k")).toBeUndefined();
      expect(await bed.text("EXISTS", "warp:{test}:v:k")).toBe(0);
    }));

  it("a value without end leaves none behind from before", () =>
    world(async ({ bed, node }) => {
      const { t } = node();
      await t.set("a", "1", { expiresInMs: 1_000 });
      await t.set("b", "1", { expiresInMs: 1_000 });
      expect(await bed.text("ZCARD", "warp:{test}:due")).toBe(2);
      await t.set("a", "2");
      await t.delete("b");
      expect(await bed.text("ZCARD", "warp:{test}:due")).toBe(0);
    }));

  it("what others put in the place of a value that ends is left alone", () =>
    world(async ({ bed, node, name }) => {
      const { t } = node({ time: "server" });
      await t.set("k", "1", { expiresInMs: 1 });
      await bed.command("SET", name("k"), "theirs");
      await new Promise<void>((resolve) => void realTimers.after(20, resolve));
      expect(await t.text("k")).toBe("theirs");
      expect(await bed.text("GET", name("k"))).toBe("theirs");
    }));

  it("AD5 values of more than one answer's size come in several", () =>
    world(async ({ bed, node }) => {
      const { t } = node();
      const keys = Array.from({ length: 14 }, (_, i) => `k${i}`);
      for (const [i, key] of keys.entries()) await t.set(key, new Uint8Array(1_000_000).fill(i));
      const before = await bed.requests();
      const answers = await t.adapter.getMany(keys);
      expect(answers.map(({ key, entry }) => [key, entry?.payload.bytes[999_999]])).toEqual(
        keys.map((key, i) => [key, i]),
      );
      expect((await bed.requests()) - before).toBe(2);
    }));

  it("costs what docs/upstash-adapter.md says", () =>
    world(async ({ bed, node }) => {
      const { t, adapter } = node({ time: "server" });
      const many = Array.from({ length: 100 }, (_, i) => `k${i}`);
      const cost = async (work: () => Promise<unknown>): Promise<number> => {
        await bed.command("CONFIG", "RESETSTAT");
        await work();
        const stats = String(await bed.text("INFO", "commandstats"));
        const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
        // Those of the test itself.
        const own = /^(config|info|select)/;
        return calls.reduce((sum, [, name = "", count]) => (own.test(name) ? sum : sum + Number(count)), 0);
      };
      await t.adapter.batch(many.map((key) => t.setting(key, "v")));
      await t.entry("k0");
      await adapter.list();
      const { asOf } = await t.one(t.deleting("absent"));
      await adapter.changes(asOf);
      await t.register("other*", {});
      const fresh = await cost(() => t.set("fresh", "w"));
      await bed.command("SET", "warp:{test}:v:theirs", "5");
      await t.entry("theirs");
      expect({
        "get 1": await cost(() => t.entry("k0")),
        "get 100": await cost(() => t.adapter.getMany(many)),
        "get 1 of others": await cost(() => t.entry("theirs")),
        "set 1": await cost(() => t.set("k0", "w")),
        "set 1 new": fresh,
        "set 1 new beside others": await cost(() => t.set("new", "w")),
        "set 100": await cost(() => t.adapter.batch(many.map((key) => t.setting(key, "w")))),
        delete: await cost(() => t.delete("new")),
        "list 100": await cost(() => adapter.list({ prefix: "k" })),
        changes: await cost(() => adapter.changes(asOf)),
        register: await cost(() => t.register("k*", {})),
      }).toEqual({
        "get 1": 3,
        "get 100": 7,
        "get 1 of others": 4,
        "set 1": 10,
        "set 1 new": 11,
        "set 1 new beside others": 12,
        "set 100": 14,
        delete: 10,
        "list 100": 7,
        changes: 3,
        register: 9,
      });
    }, true));
});

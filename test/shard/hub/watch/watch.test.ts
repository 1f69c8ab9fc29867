import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { ShardOptions } from "../../../../src/shard/shard.ts";
import { WatchBed } from "../../../support/watch-bed.ts";
import { ClientWatch } from "../../../support/watch-client.ts";

async function withBed(work: (bed: WatchBed) => Promise<void>, options: Partial<ShardOptions> = {}) {
  await host.withSql(async (sql) => {
    const bed = new WatchBed(sql, options);
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

describe("what is told", () => {
  test("WA1 WB-02 a key and a prefix are told of their own, the empty prefix of everything, with values", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const key = await bed.watch(who, 1, { target: { key: "foo1" } });
      const prefix = await bed.watch(who, 2, { target: { prefix: "foo" } });
      const all = await bed.watch(who, 3, { target: { prefix: "" } });
      await bed.bed.set("foo1", "one");
      await bed.bed.set("foo2", "two");
      await bed.bed.set("bar", "three");
      await bed.bed.delete("foo1");
      await bed.clock.advance(20);
      expect(key.told).toEqual(["1 set foo1 one", "4 delete foo1"]);
      expect(prefix.told).toEqual(["1 set foo1 one", "2 set foo2 two", "4 delete foo1"]);
      expect(all.told).toHaveLength(4);
      expect(all.position?.revision).toBe(4);
    }));

  test("WA10 the end of a key is an event", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } });
      await bed.bed.set("a", "1", { expiresInMs: 1_000 });
      await bed.clock.advance(1_001);
      await bed.bed.shard.onAlarm();
      await bed.clock.advance(20);
      expect(watch.told).toEqual(["1 set a 1", "2 expire a"]);
    }));

  test("WA5 latest: of several that wait the newest; keys: no values; ops: only those", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const other = await bed.watcher();
      const latest = await bed.watch(who, 1, { target: { prefix: "" }, mode: "latest" });
      const keys = await bed.watch(other, 1, { target: { prefix: "" }, mode: "keys" });
      const third = await bed.watcher();
      const ends = await bed.watch(third, 1, { target: { prefix: "" }, mode: "latest", ops: ["delete"] });
      await bed.bed.set("first", "0");
      await bed.bed.set("a", "1");
      await bed.bed.delete("a");
      await bed.bed.set("a", "2");
      await bed.bed.set("b", "3");
      await bed.clock.advance(20);
      expect(latest.told).toEqual(["1 set first 0", "4 set a 2", "5 set b 3"]);
      expect(keys.told).toEqual(["1 set first", "4 set a", "5 set b"]);
      expect(ends.told).toEqual(["3 delete a"]);
    }));

  test("one text for all sessions that want the same, whatever the order in which they asked", () =>
    withBed(async (bed) => {
      const [one, two] = [await bed.watcher(), await bed.watcher()];
      for (const [who, ids] of [
        [one, [1, 2]],
        [two, [2, 1]],
      ] as const) {
        for (const id of ids) await bed.watch(who, id, { target: { prefix: `p${id}` } });
      }
      await bed.bed.set("p1", "1");
      await bed.clock.advance(20);
      expect(one.socket.sent.at(-1)).toBe(two.socket.sent.at(-1));
      expect(one.socket.of("we")).toHaveLength(1);
    }));

  test("WA3 the cursor is told at once, and moves where there is nothing to be told", () =>
    withBed(async (bed) => {
      await bed.bed.set("x", "1");
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } });
      expect(watch.position?.revision).toBe(1);
      await bed.bed.set("x", "2");
      await bed.clock.advance(20);
      expect(watch.position?.revision).toBe(1);
      await bed.clock.advance(15_000);
      await bed.bed.set("x", "3");
      await bed.clock.advance(20);
      expect(watch.position?.revision).toBe(3);
      expect(watch.told).toEqual([]);
    }));

  test("a large value is left out, and the event says so", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } });
      await bed.bed.set("a", "x".repeat(20_000));
      await bed.clock.advance(20);
      expect(watch.told).toEqual(["1 set a ~"]);
    }));
});

describe("where it begins", () => {
  test("WA2 WA3 after a cursor: what came after it, once each, then live", () =>
    withBed(async (bed) => {
      for (const value of ["1", "2", "3"]) await bed.bed.set("a", value);
      const { epoch } = bed.bed.shard.watching.log.written;
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } }, { epoch, revision: 1 });
      await bed.bed.set("a", "4");
      await bed.clock.advance(20);
      expect(watch.told).toEqual(["2 set a 2", "3 set a 3", "4 set a 4"]);
      expect(watch.isLive).toBe(true);
    }));

  test("WA4 with the state: all keys, done, then live, nothing between is lost", () =>
    withBed(async (bed) => {
      for (let at = 0; at < 2_500; at++) {
        await bed.bed.set(`k${String(at).padStart(4, "0")}`, "1");
      }
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { prefix: "k" } }, "snapshot");
      expect(watch.state?.size).toBe(2_500);
      expect(who.socket.of("snap").map(({ first, done }) => [first, done])).toEqual([
        [true, undefined],
        [undefined, undefined],
        [undefined, true],
      ]);
      await bed.bed.set("k0000", "2");
      await bed.clock.advance(20);
      expect(watch.told).toEqual(["snapshot", "done", "2501 set k0000 2"]);
    }));

  test("many that resume at one place read the log once", () =>
    withBed(async (bed) => {
      for (let at = 0; at < 3_000; at++) await bed.bed.set(`k${at % 50}`, `${at}`);
      const { log } = bed.bed.shard.watching;
      const { epoch } = log.written;
      let reads = 0;
      const page = log.page.bind(log);
      Object.assign(log, {
        page: (after: number, upTo: number) => {
          reads++;
          return page(after, upTo);
        },
      });
      const clients = [await bed.watcher(), await bed.watcher()];
      for (const { socket, client } of clients) {
        for (let id = 0; id < 50; id++) {
          client.watches.set(id, new ClientWatch({ target: { key: `k${id}` }, mode: "all" }));
          const from = { epoch, revision: 0 };
          await bed.say(socket, { t: "sub", id, key: `k${id}`, mode: "all", from });
        }
      }
      await bed.clock.advance(100);
      expect(reads).toBeLessThan(10);
      for (const { client } of clients) {
        for (const watch of client.watches.values()) {
          expect(watch.isLive).toBe(true);
          expect(watch.told).toHaveLength(60);
        }
      }
    }));

  test("WA2 a cursor that the log does not reach, or of another epoch: a gap, then the state", () =>
    withBed(
      async (bed) => {
        for (let at = 0; at < 5; at++) await bed.bed.set("a", `${at}`);
        const { epoch } = bed.bed.shard.watching.log.written;
        await bed.clock.advance(400_000);
        await bed.bed.shard.onAlarm();
        await bed.bed.set("b", "1");
        await bed.clock.advance(400_000);
        await bed.bed.shard.onAlarm();
        const who = await bed.watcher();
        const old = await bed.watch(who, 1, { target: { prefix: "" } }, { epoch, revision: 1 });
        expect(old.told).toEqual(["gap compacted", "snapshot", "done"]);
        expect([...(old.state ?? [])]).toEqual([
          ["a", 5],
          ["b", 6],
        ]);
        const other = await bed.watch(
          who,
          2,
          { target: { key: "a" } },
          { epoch: "00000000000000aa", revision: 1 },
        );
        expect(other.told).toEqual(["gap epoch", "snapshot", "done"]);
        await bed.bed.set("a", "new");
        await bed.clock.advance(20);
        expect(other.told.at(-1)).toBe("7 set a new");
      },
      { logMaxAgeMs: 1_000 },
    ));

  test("a cursor of the future is refused, and nothing else is touched by it", () =>
    withBed(async (bed) => {
      await bed.bed.set("a", "1");
      const { epoch } = bed.bed.shard.watching.log.written;
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } }, { epoch, revision: 99 });
      expect(watch.ended).toBe("invalid_cursor");
      expect(bed.bed.shard.watching.log.written.epoch).toBe(epoch);
      expect(who.socket.closedWith).toBeUndefined();
    }));

  test("who watches before the first write misses nothing", () =>
    host.withSql(async (sql) => {
      const bed = new WatchBed(sql);
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { prefix: "" } });
      await bed.bed.create();
      await bed.bed.set("a", "1");
      await bed.clock.advance(20);
      expect(watch.told).toEqual(["1 set a 1"]);
    }));
});

describe("publications", () => {
  test("WB-02 X-21 to a prefix: whom it begins, and who begins it", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const names = ["f", "foo", "foobar", "fog", ""];
      const watches = [];
      for (const [id, prefix] of names.entries()) {
        watches.push(await bed.watch(who, id, { target: { prefix } }));
      }
      const key = await bed.watch(who, 9, { target: { key: "foo1" } });
      const elsewhere = await bed.watch(who, 10, { target: { key: "fo" } });
      await bed.publish({ prefix: "foo" }, "hi", true);
      await bed.clock.advance(20);
      expect(watches.map(({ told }) => told.length)).toEqual([1, 1, 1, 0, 1]);
      expect(key.told).toEqual(["1 publishPrefix foo hi"]);
      expect(elsewhere.told).toEqual([]);
    }));

  test("WB-01 a retained one is replayed to who comes late; another goes to those who listen now, after what was before it", () =>
    withBed(async (bed) => {
      const { epoch } = bed.bed.shard.watching.log.written;
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } });
      await bed.bed.set("a", "1");
      await bed.publish({ key: "a" }, "kept", true);
      await bed.publish({ key: "a" }, "told once", false);
      expect(watch.told).toEqual(["1 set a 1", "2 publish a kept"]);
      expect(who.client.messages).toEqual(["publish a told once"]);
      const late = await bed.watcher();
      const second = await bed.watch(late, 1, { target: { key: "a" } }, { epoch, revision: 0 });
      expect(second.told).toEqual(["1 set a 1", "2 publish a kept"]);
      expect(late.client.messages).toEqual([]);
    }));
});

describe("who takes in too little", () => {
  test("WA7 X-20 is told later from the log; the hub keeps nothing for it, and others don't wait", () =>
    withBed(async (bed) => {
      const slow = await bed.watcher();
      const quick = await bed.watcher();
      const [one, two] = [
        await bed.watch(slow, 1, { target: { prefix: "" } }),
        await bed.watch(quick, 1, { target: { prefix: "" } }),
      ];
      slow.socket.reads = false;
      const value = "x".repeat(10_000);
      for (let at = 0; at < 200; at++) {
        await bed.bed.set("a", value);
        await bed.clock.advance(20);
      }
      const bytes = slow.socket.sent.reduce((sum, text) => sum + text.length, 0);
      expect(bytes).toBeLessThan(300_000);
      expect(two.told).toHaveLength(200);
      await bed.publish({ key: "a" }, "lost", false);
      slow.socket.reads = true;
      slow.socket.catchUp();
      await bed.clock.advance(20);
      expect(one.told).toEqual(two.told);
      expect(slow.client.missed).toBe(1);
    }));

  test("WA7 of publications that the log does not keep it is told how many it missed; the hub keeps none", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      await bed.watch(who, 1, { target: { key: "a" } });
      who.socket.reads = false;
      for (let at = 0; at < 100; at++) {
        await bed.publish({ key: "a" }, "x".repeat(10_000), false);
        await bed.clock.advance(20);
      }
      expect(who.socket.sent.join("").length).toBeLessThan(300_000);
      who.socket.reads = true;
      who.socket.catchUp();
      expect(who.client.messages.length + who.client.missed).toBe(100);
      expect(who.client.missed).toBeGreaterThan(50);
      await bed.publish({ key: "a" }, "next", false);
      expect(who.client.messages.at(-1)).toBe("publish a next");
      who.socket.reads = false;
      for (let at = 0; at < 100; at++) await bed.publish({ key: "a" }, "x".repeat(10_000), false);
      await bed.clock.advance(10_000);
      expect(who.socket.closedWith).toMatchObject({ code: 4101 });
    }));

  test("WA7 is closed after a while, and goes on from its cursor on the next socket", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { prefix: "" } });
      who.socket.reads = false;
      for (let at = 0; at < 100; at++) {
        await bed.bed.set("a", "x".repeat(10_000));
        await bed.clock.advance(20);
      }
      await bed.clock.advance(10_000);
      expect(who.socket.closedWith).toMatchObject({ code: 4101 });
      const socket = await bed.connect(who.client);
      watch.isLive = false;
      await bed.say(socket, { t: "sub", id: 1, prefix: "", mode: "all", from: watch.position ?? "now" });
      await bed.clock.advance(100);
      expect(watch.told.map((event) => Number(event.split(" ")[0]))).toEqual(
        Array.from({ length: 100 }, (_, at) => at + 1),
      );
    }));
});

import { describe, expect, test } from "vitest";
import { host } from "#host";
import { utf8, utf8Length } from "../../../../src/runtime/bytes.ts";
import { maxSubscriptionsPerSession } from "../../../../src/runtime/limits.ts";
import { WatchBed } from "../../../support/watch-bed.ts";

async function withBed(work: (bed: WatchBed) => Promise<void>) {
  await host.withSql(async (sql) => {
    const bed = new WatchBed(sql);
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

const stored = (bed: WatchBed) => bed.bed.sql.all("SELECT session FROM subscriptions").length;
/** A key of 200 characters. */
const long = (at: number) => `${String(at).padStart(3, "0")}${"x".repeat(197)}`;

describe("WA8 instances that follow each other", () => {
  test("idle watchers leave nothing to wait for; the next instance finds them and tells them what comes", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const prefix = await bed.watch(who, 1, { target: { prefix: "a" } });
      const key = await bed.watch(who, 2, { target: { key: "b" }, mode: "keys", ops: ["delete"] });
      await bed.bed.set("a1", "1");
      // How far everybody is is noted a little later.
      await bed.clock.advance(1_100);
      expect(bed.clock.timers).toBe(0);
      bed.restart();
      await bed.bed.set("a2", "2");
      await bed.bed.set("b", "3");
      await bed.bed.delete("b");
      await bed.clock.advance(60);
      expect(prefix.told).toEqual(["1 set a1 1", "2 set a2 2"]);
      expect(key.told).toEqual(["4 delete b"]);
      await bed.say(who.socket, { t: "unsub", id: 1 });
      bed.restart();
      await bed.bed.set("a3", "3");
      await bed.clock.advance(60);
      expect(prefix.told).toHaveLength(2);
    }));

  test("whoever had all is told no gap when the next instance wakes long after, and the log was trimmed meanwhile", () =>
    host.withSql(async (sql) => {
      const bed = new WatchBed(sql, { logMaxAgeMs: 1_000 });
      await bed.bed.create();
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { prefix: "" } });
      const node = await bed.join();
      for (let at = 0; at < 5; at++) {
        await bed.bed.set("a", `${at}`);
        await bed.clock.advance(20);
      }
      await bed.clock.advance(2_000);
      expect(bed.clock.timers).toBe(0);
      bed.restart();
      await bed.clock.advance(400_000);
      await bed.bed.set("b", "1");
      await bed.bed.shard.onAlarm();
      await bed.clock.advance(20);
      expect(bed.bed.shard.watching.log.page(4, 6)).toBeUndefined();
      await bed.bed.set("c", "1");
      await bed.clock.advance(20);
      expect(watch.told.slice(-2)).toEqual(["6 set b 1", "7 set c 1"]);
      expect([who.socket.of("gap"), node.of("gap")]).toEqual([[], []]);
      expect(node.entries()).toHaveLength(7);
    }));

  test("subscriptions that the attachment has no room for are kept in the database, for as long as the socket is there", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      for (let at = 0; at < 100; at++) await bed.watch(who, at, { target: { key: long(at) } });
      expect(stored(bed)).toBe(1);
      expect(utf8Length(JSON.stringify(who.socket.attachment))).toBeLessThan(16_384);
      bed.restart();
      await bed.bed.set(long(0), "1");
      await bed.bed.set(long(99), "1");
      await bed.clock.advance(60);
      expect(who.client.watches.get(0)?.told).toHaveLength(1);
      expect(who.client.watches.get(99)?.told).toHaveLength(1);
      // There is room again.
      for (let at = 10; at < 100; at++) await bed.say(who.socket, { t: "unsub", id: at });
      expect(stored(bed)).toBe(0);
      for (let at = 10; at < 100; at++) await bed.watch(who, at, { target: { key: long(at) } });
      expect(stored(bed)).toBe(1);
      bed.hub.closed(who.socket);
      expect(stored(bed)).toBe(0);
    }));

  test("those of sockets that ended with an instance are removed by the next one", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      for (let at = 0; at < 100; at++) await bed.watch(who, at, { target: { key: long(at) } });
      bed.restart(false);
      expect(stored(bed)).toBe(1);
      await bed.bed.set("a", "1");
      expect(stored(bed)).toBe(0);
    }));

  test("a snapshot that the end of an instance has cut begins anew", () =>
    withBed(async (bed) => {
      for (let at = 0; at < 60; at++) await bed.bed.set(`k${at}`, "x".repeat(15_000));
      const who = await bed.watcher();
      who.socket.reads = false;
      const watch = await bed.watch(who, 1, { target: { prefix: "k" } }, "snapshot");
      expect(watch.told).toEqual(["snapshot"]);
      expect(watch.state?.size).toBeLessThan(60);
      bed.restart();
      await bed.bed.delete("k0");
      who.socket.reads = true;
      who.socket.catchUp();
      await bed.clock.advance(100);
      expect(watch.told.filter((told) => !/^\d/.test(told))).toEqual(["snapshot", "snapshot", "done"]);
      expect(watch.state?.size).toBe(59);
      expect(watch.isLive).toBe(true);
    }));

  test("WA2 a new epoch: a gap, then the state", () =>
    withBed(async (bed) => {
      await bed.bed.set("a", "1");
      const who = await bed.watcher();
      const watch = await bed.watch(who, 1, { target: { key: "a" } });
      await bed.bed.shard.renew();
      await bed.bed.set("a", "2");
      await bed.clock.advance(60);
      expect(watch.told.slice(0, 2)).toEqual(["gap epoch", "snapshot"]);
      expect(watch.state?.get("a")).toBe(2);
      expect(watch.isLive).toBe(true);
    }));
});

describe("bounds", () => {
  test("a session has at most 256 subscriptions; the next one ends at once, the others stay", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      for (let at = 0; at < maxSubscriptionsPerSession; at++) {
        await bed.say(who.socket, { t: "sub", id: at, key: `k${at}`, mode: "all", from: "now" });
      }
      const one = await bed.watch(who, 1_000, { target: { key: "more" } });
      expect(one.ended).toBe("overloaded");
      expect(who.socket.of("on")).toHaveLength(maxSubscriptionsPerSession);
      await bed.say(who.socket, { t: "unsub", id: 0 });
      const again = await bed.watch(who, 1_000, { target: { key: "more" } });
      expect(again.isLive).toBe(true);
    }));

  test("malformed: a key that is none ends the subscription, a number that is taken the session", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const wrong = await bed.watch(who, 1, { target: { key: "" } });
      expect(wrong.ended).toBe("invalid_key");
      await bed.say(who.socket, { t: "unsub", id: 77 });
      await bed.watch(who, 1, { target: { key: "a" } });
      await bed.watch(who, 1, { target: { key: "a" } });
      expect(who.socket.closedWith).toMatchObject({ code: 4000 });
      const other = await bed.watcher();
      await bed.say(other.socket, '{"t":"sub","id":1,"mode":"all","from":"now"}');
      expect(other.socket.closedWith).toMatchObject({ code: 4000 });
    }));

  test("WA7 X-20 who wants the newest only and is far behind gets the state once; who wants all gets all", () =>
    withBed(async (bed) => {
      const who = await bed.watcher();
      const all = await bed.watch(who, 1, { target: { prefix: "" } });
      const latest = await bed.watch(who, 2, { target: { prefix: "" }, mode: "latest" });
      const write = (count: number, size: number) =>
        bed.bed.mutate(
          ...Array.from({ length: count }, (_, at) => ({
            kind: "set" as const,
            opId: bed.bed.opId(),
            key: `k${at % 10}`,
            payload: { bytes: utf8("x".repeat(size)), contentType: "text/plain" },
          })),
        );
      who.socket.reads = false;
      await write(40, 10_000);
      await bed.clock.advance(20);
      for (let at = 0; at < 11; at++) await write(1_000, 1);
      await bed.clock.advance(20);
      who.socket.reads = true;
      who.socket.catchUp();
      await bed.clock.advance(1_000);
      expect(all.told).toHaveLength(11_040);
      expect(latest.told.slice(-3)).toEqual(["gap slow", "snapshot", "done"]);
      expect(latest.told.length).toBeLessThan(100);
      expect(latest.state?.size).toBe(10);
      expect([all.isLive, latest.isLive]).toEqual([true, true]);
    }));
});

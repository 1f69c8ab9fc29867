import { expect, test } from "vitest";
import { host } from "#host";
import { defaultSessionBounds } from "../../../../src/protocol/config.ts";
import type { HubOptions } from "../../../../src/shard/hub/hub-options.ts";
import type { ShardOptions } from "../../../../src/shard/shard.ts";
import { WatchBed } from "../../../support/watch-bed.ts";

async function withBed(work: (bed: WatchBed) => Promise<void>, options: Partial<ShardOptions> = {}) {
  await host.withSql(async (sql) => {
    const bed = new WatchBed(sql, options);
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

test("WA7 changes between two pages of a snapshot come frame by frame, however many there are", () =>
  withBed(async (bed) => {
    const value = "x".repeat(10_000);
    for (let at = 0; at < 40; at++) await bed.bed.set(`k${10 + at}`, value);
    const who = await bed.watcher();
    who.socket.reads = false;
    const watch = await bed.watch(who, 1, { target: { prefix: "" } }, "snapshot");
    await bed.clock.advance(20);
    // A part of the state was told; now much happens to it.
    expect(watch.state?.size).toBeGreaterThan(5);
    expect(watch.isSnapshot).toBe(true);
    for (let round = 0; round < 40; round++) {
      for (let at = 0; at < 10; at++) await bed.bed.set(`k${10 + at}`, value);
    }
    let [greatest, sent] = [0, 0];
    const bytes = () => who.socket.sent.reduce((sum, text) => sum + text.length, 0);
    sent = bytes();
    for (let round = 0; round < 200; round++) {
      who.socket.catchUp();
      await bed.clock.advance(20);
      greatest = Math.max(greatest, bytes() - sent);
      sent = bytes();
    }
    expect(watch.isLive).toBe(true);
    expect(greatest).toBeLessThan(1_000_000);
    expect(watch.state?.size).toBe(40);
    for (let at = 0; at < 10; at++) expect(watch.state?.get(`k${10 + at}`)).toBe(40 + 390 + at + 1);
    expect(watch.told.filter((told) => told.includes(" set "))).toHaveLength(400);
  }));

test("one session that can't be served is closed, and the others are told", () =>
  host.withSql(async (sql) => {
    const bed = new WatchBed(sql);
    await bed.bed.create();
    const [one, two] = [await bed.watcher(), await bed.watcher()];
    await bed.watch(one, 1, { target: { prefix: "" } });
    const other = await bed.watch(two, 1, { target: { prefix: "" } });
    one.socket.send = () => {
      throw new Error("a broken socket");
    };
    await bed.bed.set("a", "1");
    await bed.clock.advance(20);
    expect(other.told).toEqual(["1 set a 1"]);
    expect(one.socket.closedWith).toMatchObject({ code: 4100 });
    expect(bed.reported).toMatchObject([{ message: "a broken socket" }]);
  }));

/** A hub whose sessions may send 20 messages a second. */
class QuietBed extends WatchBed {
  override hubOptions(): HubOptions {
    return { ...super.hubOptions(), bounds: { ...defaultSessionBounds, messagesPerSecond: 20 } };
  }
}

test("SE3 marks that a watcher answers don't count as messages of its own, however much it is sent at once", () =>
  host.withSql(async (sql) => {
    const bed = new QuietBed(sql);
    await bed.bed.create();
    const who = await bed.watcher({ follows: false });
    await bed.watch(who, 1, { target: { prefix: "" } });
    for (let at = 0; at < 300; at++) await bed.publish({ key: "a" }, "x".repeat(60_000), false);
    expect(who.socket.closedWith).toBeUndefined();
    expect(who.client.messages).toHaveLength(300);
    // Answers to what was never asked do.
    for (let at = 0; at < 300; at++) await bed.say(who.socket, { t: "seen", n: 1_000_000 + at });
    expect(who.socket.closedWith).toMatchObject({ code: 4100 });
  }));

test("WA7 the more sessions there are, the less may be on its way to each that takes nothing in", () =>
  withBed(async (bed) => {
    const crowd = await Promise.all(Array.from({ length: 190 }, () => bed.watcher()));
    for (const who of crowd) await bed.watch(who, 1, { target: { prefix: "" } });
    const [quick, ...deaf] = crowd;
    for (const { socket } of deaf) socket.reads = false;
    for (let at = 0; at < 60; at++) {
      await bed.bed.set("a", "x".repeat(15_000));
      await bed.publish({ key: "a" }, "x".repeat(15_000), false);
      await bed.clock.advance(20);
    }
    const bytes = crowd.map(({ socket }) => socket.sent.reduce((sum, text) => sum + text.length, 0));
    const sum = bytes.slice(1).reduce((all, one) => all + one);
    expect(sum).toBeLessThan(42 * 1_048_576);
    expect(Math.max(...bytes.slice(1))).toBeLessThan(300_000);
    expect(quick?.client.watches.get(1)?.told).toHaveLength(60);
    expect(quick?.client.messages).toHaveLength(60);
    // Whoever takes in what came goes on.
    const [one] = deaf;
    if (one === undefined) return;
    one.socket.reads = true;
    one.socket.catchUp();
    await bed.clock.advance(20);
    expect(one.client.watches.get(1)?.told).toHaveLength(60);
    expect(one.client.messages.length + one.client.missed).toBe(60);
  }));

test("SE3 SE4 a frame is as large as its sender is known: 16 KiB without a token, 4 MiB of a watcher, 32 MiB of a node", () =>
  withBed(async (bed) => {
    const frame = (bytes: number) => `{"t":"ping","id":1,"x":"${"x".repeat(bytes - 26)}"}`;
    const pending = bed.open({ isPending: true, follows: false });
    await bed.say(pending, frame(16_385));
    expect(pending.closedWith).toMatchObject({ code: 4009 });
    const { socket } = await bed.watcher({ follows: false });
    expect(socket.of("welcome")[0]?.maxFrameBytes).toBe(4_194_304);
    await bed.say(socket, frame(4_194_304));
    expect(socket.closedWith).toBeUndefined();
    await bed.say(socket, frame(4_194_305));
    expect(socket.closedWith).toMatchObject({ code: 4009 });
    const node = await bed.join();
    expect(node.of("welcome")[0]?.maxFrameBytes).toBe(33_554_432);
    await bed.say(node, frame(4_194_305));
    expect(node.closedWith).toBeUndefined();
  }));

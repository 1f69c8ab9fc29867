import { expect, test } from "vitest";
import { host } from "#host";
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

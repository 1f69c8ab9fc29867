import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { RegistrationOptions } from "../../src/core/types.ts";
import { statics } from "../support/core-bed.ts";
import { NodeBed } from "../support/node-bed.ts";

/** Nodes over sockets to a real shard whose keys have these policies. */
async function withNodes(
  policies: Readonly<Record<string, RegistrationOptions>>,
  work: (bed: NodeBed) => Promise<void>,
): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new NodeBed(sql, { registrations: statics(policies) });
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

/** Lets time pass until `work` has ended. */
async function soon<T>(bed: NodeBed, work: Promise<T>, withinMs = 1_000): Promise<T> {
  let isOver = false;
  work.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  for (let ms = 0; ms < withinMs && !isOver; ms++) await bed.clock.advance(1);
  expect(isOver, `still waiting after ${withinMs} ms`).toBe(true);
  return await work;
}

describe("nodes over sockets to a shard", () => {
  it("DI-10 ten nodes: what node 0 writes, all read within a second, and it was a push that told them", () =>
    withNodes({ "*": { mode: "eventual" } }, async (bed) => {
      const writer = bed.node();
      const nodes = [writer, ...Array.from({ length: 9 }, () => bed.node())];
      const readAll = () => soon(bed, Promise.all(nodes.map(({ warp }) => warp.get("k"))));
      for (const value of ["A", "B"]) {
        await soon(bed, writer.warp.set("k", value));
        await bed.clock.advance(1_000);
        expect(new Set(await readAll())).toEqual(new Set([value]));
      }
      expect(nodes.map(({ warp }) => warp.stats().catchUps)).toEqual(nodes.map(() => 0));
    }));

  it("DI-02 both invalidate at once: two entries, and the copies of both go", () =>
    withNodes({}, async (bed) => {
      const writer = bed.node();
      const nodes = [writer, bed.node()];
      await soon(bed, writer.warp.set("k", 1));
      for (const { warp } of nodes) expect(await soon(bed, warp.get("k"))).toBe(1);
      const { asOf } = await bed.bed.read("k");
      await soon(bed, Promise.all(nodes.map(({ warp }) => warp.invalidate({ keys: ["k"] }))));
      await bed.clock.advance(20);
      expect((await bed.bed.read("k")).asOf - asOf).toBe(2);
      expect(nodes.map(({ warp }) => warp.peek("k"))).toEqual([undefined, undefined]);
    }));

  it("X-01 CO4 the writer of an eventual key reads its own value, and the push of its write takes nothing", () =>
    withNodes({}, async (bed) => {
      const { warp } = bed.node();
      await soon(bed, warp.set("k", "mine"));
      await bed.clock.advance(100);
      expect(warp.peek("k")).toBe("mine");
      expect(warp.stats().loads).toBe(0);
    }));

  it("DI-01 a strong summing key: 1 and 2 set on the one node come to be read as 3 on the other", () =>
    withNodes({}, async (bed) => {
      const [one, two] = [bed.door(), bed.node()];
      await one.warp.register("sum", { mode: "strong", merge: "sum" });
      await one.warp.set("sum", 1);
      expect(await soon(bed, two.warp.get("sum"))).toBe(1);
      await soon(bed, one.warp.set("sum", 2));
      expect(await soon(bed, two.warp.get("sum"))).toBe(3);
    }));

  it("ST1 a strong key is held: reads of it are hits, until a write on another node has taken it back", () =>
    withNodes({ "*": { mode: "strong" } }, async (bed) => {
      const [writer, reader] = [bed.node(), bed.node()];
      await soon(bed, writer.warp.set("k", "old"));
      // The first read asks for the lease, too.
      for (let i = 0; i < 3; i++) expect(await soon(bed, reader.warp.get("k"))).toBe("old");
      expect(reader.warp.peek("k")).toBe("old");
      const { loads } = reader.warp.stats();
      for (let i = 0; i < 100; i++) {
        await bed.clock.advance(100);
        expect(await soon(bed, reader.warp.get("k"))).toBe("old");
      }
      expect(reader.warp.stats().loads).toBe(loads);
      const beganMs = bed.clock.now();
      await soon(bed, writer.warp.set("k", "new"));
      expect(bed.clock.now() - beganMs).toBeLessThan(50);
      expect(reader.warp.peek("k")).toBeUndefined();
      expect(await soon(bed, reader.warp.get("k"))).toBe("new");
    }));

  it("ST2 a holder is told by the invalidation, while the push of the intent is still being gathered", () =>
    withNodes({ "*": { mode: "strong" } }, async (bed) => {
      const [writer, reader] = [bed.door(), bed.node()];
      await writer.warp.set("k", 0);
      for (let round = 1; round <= 5; round++) {
        for (let i = 0; i < 3; i++) await soon(bed, reader.warp.get("k"));
        expect(reader.warp.peek("k")).toBe(round - 1);
        // The first change after a pause is pushed at once; what follows it within 16 ms is gathered.
        await bed.clock.advance(100);
        await writer.warp.set("x", round);
        const beganMs = bed.clock.now();
        await soon(bed, writer.warp.set("k", round));
        expect(bed.clock.now() - beganMs).toBeLessThan(5);
        expect(reader.warp.peek("k")).toBeUndefined();
      }
    }));

  it("ST1 ST3 X-02 a holder that is cut off serves no longer than the write waits for it", () =>
    withNodes({ "*": { mode: "strong" } }, async (bed) => {
      const [writer, reader] = [bed.door(), bed.node()];
      await writer.warp.set("k", "old");
      for (let i = 0; i < 3; i++) await soon(bed, reader.warp.get("k"));
      expect(reader.warp.peek("k")).toBe("old");
      reader.wire.silence();
      reader.wire.refusesWith = { code: 1006, reason: "" };
      let writtenAtMs: number | undefined;
      const writing = writer.warp.set("k", "new").then(() => {
        writtenAtMs = bed.clock.now();
      });
      const beganMs = bed.clock.now();
      let servedAtMs = 0;
      while (writtenAtMs === undefined && bed.clock.now() < beganMs + 10_000) {
        if (reader.warp.peek("k") !== undefined) servedAtMs = bed.clock.now();
        await bed.clock.advance(1);
      }
      await writing;
      expect(servedAtMs).toBeGreaterThan(beganMs);
      expect(servedAtMs).toBeLessThan(writtenAtMs ?? 0);
      expect((writtenAtMs ?? 0) - beganMs).toBeLessThan(4_100);
      await bed.clock.advance(10_000);
      expect(reader.warp.peek("k")).toBeUndefined();
      reader.wire.refusesWith = undefined;
      await bed.clock.advance(40_000);
      expect(await soon(bed, reader.warp.get("k"))).toBe("new");
    }));

  it("X-19 SB2 SB3 a node that is cut off, and stays busy, serves nothing past its bound, and nothing stale once it is back", () =>
    withNodes({ "*": { mode: "eventual", maxStalenessMs: 2_000 } }, async (bed) => {
      const [writer, reader] = [bed.door(), bed.node()];
      await writer.warp.set("k", 0);
      await soon(bed, reader.warp.get("k"));
      reader.wire.cut();
      reader.wire.refusesWith = { code: 1006, reason: "" };
      const cutAtMs = bed.clock.now();
      const failures: unknown[] = [];
      let lastServedAtMs = 0;
      for (let i = 1; bed.clock.now() < cutAtMs + 30_000; i++) {
        await writer.warp.set("k", i);
        const reading = reader.warp.get<number>("k", { timeoutMs: 50 }).then(
          (value) => {
            lastServedAtMs = bed.clock.now();
            expect(value).toBe(0);
          },
          (error: unknown) => failures.push(error),
        );
        await bed.clock.advance(100);
        await reading;
      }
      expect(lastServedAtMs - cutAtMs).toBeGreaterThan(1_000);
      expect(lastServedAtMs - cutAtMs).toBeLessThanOrEqual(2_000);
      expect(failures.length).toBeGreaterThan(100);
      reader.wire.refusesWith = undefined;
      await bed.clock.advance(40_000);
      await writer.warp.set("k", "after");
      expect(await soon(bed, reader.warp.get("k"))).toBe("after");
    }));

  it("SB2 X-19 what a node missed while its socket was away comes with the next one", () =>
    withNodes({ "*": { mode: "local" } }, async (bed) => {
      const [writer, reader] = [bed.door(), bed.node()];
      await writer.warp.set("k", "old");
      await soon(bed, reader.warp.get("k"));
      await soon(bed, reader.warp.get("other"));
      reader.wire.cut();
      await writer.warp.set("k", "new");
      expect(reader.warp.peek("k")).toBe("old");
      // A local key is served without bound: only the push can tell.
      await bed.clock.advance(5_000);
      await soon(bed, reader.warp.get("other"), 5_000);
      await bed.clock.advance(100);
      expect(reader.warp.peek("k")).toBeUndefined();
      expect(await soon(bed, reader.warp.get("k"))).toBe("new");
    }));

  it.each([
    ["its sockets stay", true],
    ["they break", false],
  ])(
    "ST5 another instance of the shard, %s: strong reads and writes go on, and none is stale",
    (_how, stay) =>
      withNodes({ "*": { mode: "strong" } }, async (bed) => {
        const [writer, reader] = [bed.node(), bed.node()];
        await soon(bed, writer.warp.set("k", 0));
        for (let i = 0; i < 3; i++) await soon(bed, reader.warp.get("k"));
        for (let round = 1; round <= 3; round++) {
          bed.restart(stay);
          await bed.clock.advance(5);
          await soon(bed, writer.warp.set("k", round), 20_000);
          const seen = reader.warp.peek("k");
          expect([undefined, round]).toContain(seen);
          expect(await soon(bed, reader.warp.get("k"), 20_000)).toBe(round);
          await soon(bed, reader.warp.get("k"), 20_000);
        }
      }),
  );

  it("SB2 the space is deleted and made again under its nodes: nothing of the old one is served", () =>
    withNodes({ "e:*": { mode: "eventual" }, "s:*": { mode: "strong" } }, async (bed) => {
      const [writer, reader] = [bed.node(), bed.node()];
      for (const key of ["e:1", "s:1"]) {
        await soon(bed, writer.warp.set(key, "old"));
        for (let i = 0; i < 3; i++) expect(await soon(bed, reader.warp.get(key))).toBe("old");
      }
      const { spaceId } = bed.bed;
      await soon(bed, bed.bed.shard.deleteSpace("test", "begin", spaceId), 20_000);
      await soon(bed, bed.bed.shard.deleteSpace("test", "finish", spaceId), 20_000);
      await bed.clock.advance(100);
      expect(reader.warp.peek("s:1")).toBeUndefined();
      await bed.bed.create();
      await bed.clock.advance(6_000);
      for (const key of ["e:1", "s:1"]) {
        expect(await soon(bed, reader.warp.get(key), 20_000)).toBeUndefined();
        await soon(bed, writer.warp.set(key, "new"), 20_000);
        expect(await soon(bed, reader.warp.get(key), 20_000)).toBe("new");
      }
    }));

  it("CO10 a closed node leaves the shard, so that writes don't wait for it", () =>
    withNodes({ "*": { mode: "strong" } }, async (bed) => {
      const [writer, reader] = [bed.door(), bed.node()];
      await writer.warp.set("k", 1);
      for (let i = 0; i < 3; i++) await soon(bed, reader.warp.get("k"));
      expect(reader.warp.peek("k")).toBe(1);
      await reader.warp.close();
      await bed.clock.advance(10);
      expect(reader.wire.lines).toBe(0);
      const beganMs = bed.clock.now();
      await soon(bed, writer.warp.set("k", 2));
      expect(bed.clock.now() - beganMs).toBeLessThan(10);
    }));
});

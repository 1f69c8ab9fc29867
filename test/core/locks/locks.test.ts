import { describe, expect, test } from "vitest";
import { standalone } from "../../../src/presets/standalone.ts";
import { testWarp } from "../../../src/testing.ts";
import { codeOf, coreBed } from "../../support/core-bed.ts";
import { seeded } from "../../support/seeded.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

describe("warp.lock", () => {
  test("X-12 one of two nodes that race has it, and a node that comes later sees who", async () => {
    const { nodes } = testWarp({ nodes: 3 });
    const [a, b, late] = nodes;
    const got = await Promise.all([a?.tryLock("job", { value: { host: "a" } }), b?.tryLock("job")]);
    expect(got.map((lock) => lock !== undefined)).toEqual([true, false]);
    expect(await codeOf(late?.lock("job") ?? Promise.resolve())).toBe("lock_held");
    const info = await late?.locks.info("job");
    expect(info?.holders).toMatchObject([{ fence: got[0]?.fence, kind: "mutex" }]);
  });

  test("X-13 X-14 a waiter on another node gets it at the release, and the one after it when its holder has died", async () => {
    const { nodes, clock, errors } = testWarp({ nodes: 2 });
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("two nodes");
    const first = await a.lock("job");
    const waiting = b.lock("job", { ttlMs: 5_000, waitMs: 60_000, autoRenew: false });
    await clock.advance(1_000);
    await first.release();
    const second = await waiting;
    const third = a.lock("job", { waitMs: 60_000 });
    await clock.advance(5_000);
    expect((await third).fence).toBeGreaterThan(second.fence);
    expect(second.signal.aborted).toBe(true);
    expect(errors).toEqual([]);
  });

  test("LK14 its guard lets writes through while it is held, and refuses them afterwards", async () => {
    const { warp } = testWarp();
    const lock = await warp.lock("job");
    await warp.set("done", 1, { guard: lock.guard });
    const done = await warp.txn().compare("job", { fence: lock.fence }).set("done", 2).commit();
    expect(done.succeeded).toBe(true);
    await lock.release();
    expect(await codeOf(warp.set("done", 3, { guard: lock.guard }))).toBe("stale_fence");
    expect(await warp.get("done")).toBe(2);
  });

  test("withLock takes options or none, gives what the work gave, and releases", async () => {
    const { nodes, clock } = testWarp({ nodes: 2 });
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("two nodes");
    expect(await a.withLock("job", ({ name }) => name)).toBe("job");
    const order: string[] = [];
    const one = a.withLock("job", { waitMs: 1_000 }, async () => {
      order.push("a in");
      await new Promise<void>((resolve) => void clock.advance(100).then(resolve));
      order.push("a out");
    });
    const other = b.withLock("job", { waitMs: 1_000 }, () => order.push("b"));
    await Promise.all([one, other]);
    expect(order).toEqual(["a in", "a out", "b"]);
    expect((await a.locks.list()).locks).toEqual([]);
  });

  test("LK13 readers share it, a semaphore has its permits, another kind is refused", async () => {
    const { warp } = testWarp();
    const readers = await Promise.all([1, 2].map(() => warp.lock("r", { kind: "read" })));
    expect(await warp.tryLock("r", { kind: "write" })).toBeUndefined();
    await Promise.all(readers.map((reader) => reader.release()));
    const permits = { kind: "semaphore", permits: 3 } as const;
    await warp.lock("s", { ...permits, take: 2 });
    expect(await warp.tryLock("s", { ...permits, take: 2 })).toBeUndefined();
    expect(await warp.tryLock("s", permits)).toBeDefined();
    expect(await codeOf(warp.tryLock("s"))).toBe("wrong_kind");
  });

  test("LK12 a forced end is told to the holder, counted, and kept with who did it", async () => {
    const { nodes, clock } = testWarp({ nodes: 2 });
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("two nodes");
    const lock = await a.lock("job", { owner: "worker-1" });
    expect(await b.locks.force("job", { by: "ada" })).toBe(1);
    await clock.advance(0);
    expect(lock.signal.reason).toMatchObject({ code: "lock_lost", details: { reason: "forced" } });
    expect((await a.locks.info("job")).forced).toMatchObject({ by: "ada", owner: "worker-1" });
    expect(await b.locks.force("job")).toBe(0);
  });

  test("names in use are listed in order, by pages", async () => {
    const { warp } = testWarp();
    for (const name of ["b", "a:1", "a:2", "c"]) await warp.lock(name);
    const first = await warp.locks.list({ prefix: "a:", limit: 1 });
    expect(first.locks.map(({ name }) => name)).toEqual(["a:1"]);
    const rest = await warp.locks.list({ prefix: "a:", ...(first.cursor && { cursor: first.cursor }) });
    expect(rest.locks.map(({ name }) => name)).toEqual(["a:2"]);
    expect(rest.cursor).toBeUndefined();
  });

  test("a Warp without locks or leases refuses them", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    expect(await codeOf(warp.lock("job"))).toBe("unsupported");
    expect(await codeOf(warp.election("job").campaign(1))).toBe("unsupported");
    expect(await codeOf(warp.locks.info("job"))).toBe("unsupported");
    expect(await codeOf(warp.lease())).toBe("unsupported");
    expect(await codeOf(warp.leases.list())).toBe("unsupported");
  });
});

describe("close", () => {
  test("CO10 handles fire, waits end, nothing is renewed, no timer and no listener is left", async () => {
    const clock = virtualClock();
    const errors: unknown[] = [];
    const background = {
      run: (work: Promise<unknown>) => void work.catch((error: unknown) => errors.push(error)),
    };
    const warp = standalone({ host: { clock, timers: clock, random: seeded(1), background } });
    const lock = await warp.lock("job");
    const lease = await warp.lease();
    const waiting = codeOf(warp.lock("job", { waitMs: 60_000 }));
    await clock.settle();
    await warp.close();
    expect(lock.signal.reason).toMatchObject({ details: { reason: "closed" } });
    expect(lease.signal.reason).toMatchObject({ details: { reason: "closed" } });
    expect(await waiting).toBe("warp_closed");
    expect(await codeOf(warp.lock("other"))).toBe("warp_closed");
    expect(await codeOf(warp.locks.list())).toBe("warp_closed");
    expect(await codeOf(warp.lease())).toBe("warp_closed");
    expect(clock.timers).toBe(0);
    expect(errors).toEqual([]);
  });
});

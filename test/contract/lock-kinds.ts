import { describe, expect, it } from "vitest";
import { ended, held, type LocksUnderTest, LockTester, offered, refused, text } from "./lock-bed.ts";

/** Kinds of locks, and what can be read of them. */
export function lockKinds({ name, run, slackMs = 0 }: LocksUnderTest): void {
  describe(`locks contract: ${name}: kinds`, () => {
    it("LK13 a re-entrant lock is acquired again by its owner under the same fence, and released as often", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const as = "reentrant";
        const first = held(await t.acquire("r", "a", { as, ttlMs: 5_000 }));
        refused(await t.acquire("r", "b", { as }), "lock_held");
        await t.queue("r", "b", { as });
        // Also while others wait: else it would wait for itself.
        const again = held(await t.acquire("r", "a", { as, ttlMs: 1_000 }));
        expect(again).toMatchObject({ fence: first.fence, count: 2, ttlMs: 5_000 });
        expect(again.remainingMs).toBeGreaterThanOrEqual(5_000 - slackMs);
        ended(await t.release("r", "a", first.fence), 1);
        expect(held(await t.renew("r", "a", first.fence)).count).toBe(1);
        ended(await t.release("r", "a", first.fence), 0);
        refused(await t.release("r", "a", first.fence), "lock_lost", { reason: "released" });
      }));

    it("LK13 a mutex is not re-entrant: its owner waits like everybody", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("m", "a"));
        refused(await t.acquire("m", "a"), "lock_held");
      }));

    it("LK1 readers share, a writer has it alone", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const readers = [
          held(await t.acquire("rw", "r1", { as: "read" })),
          held(await t.acquire("rw", "r2", { as: "read" })),
        ];
        refused(await t.acquire("rw", "w", { as: "write" }), "lock_held");
        expect((await t.locks.info("rw")).holders).toHaveLength(2);
        for (const [i, { fence }] of readers.entries()) ended(await t.release("rw", `r${i + 1}`, fence));
        const writer = held(await t.acquire("rw", "w", { as: "write" }));
        refused(await t.acquire("rw", "w2", { as: "write" }), "lock_held");
        refused(await t.acquire("rw", "r1", { as: "read" }), "lock_held");
        ended(await t.release("rw", "w", writer.fence));
        held(await t.acquire("rw", "r1", { as: "read" }));
      }));

    it("LK8 a writer that waits holds back later readers, and they are let in together after it", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const reader = held(await t.acquire("rw", "r0", { as: "read" }));
        const writer = await t.queue("rw", "w", { as: "write" });
        refused(await t.acquire("rw", "r1", { as: "read" }), "lock_held", { waiters: 1 });
        const places = [await t.queue("rw", "r1", { as: "read" }), await t.queue("rw", "r2", { as: "read" })];
        expect(places.map(({ position }) => position)).toEqual([2, 3]);
        ended(await t.release("rw", "r0", reader.fence));
        offered(await t.poll("rw", "w", writer));
        const turn = held(await t.claim("rw", "w", writer));
        for (const [i, place] of places.entries()) {
          expect(await t.poll("rw", `r${i + 1}`, place)).toMatchObject({ state: "waiting", position: i + 1 });
        }
        ended(await t.release("rw", "w", turn.fence));
        for (const [i, place] of places.entries()) offered(await t.poll("rw", `r${i + 1}`, place));
        const claimed = await Promise.all(places.map((place, i) => t.claim("rw", `r${i + 1}`, place)));
        expect(new Set(claimed.map((verdict) => held(verdict).fence)).size).toBe(2);
      }));

    it("LK1 a semaphore gives out as many permits as it has, also several to one", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const sem = { as: "semaphore", permits: 5 } as const;
        const two = held(await t.acquire("s", "a", { ...sem, take: 2 }));
        held(await t.acquire("s", "b", { ...sem, take: 2 }));
        refused(await t.acquire("s", "c", { ...sem, take: 2 }), "lock_held");
        held(await t.acquire("s", "c", sem));
        refused(await t.acquire("s", "d", sem), "lock_held");
        ended(await t.release("s", "a", two.fence));
        held(await t.acquire("s", "d", { ...sem, take: 2 }));
        const info = await t.locks.info("s");
        expect(info.permits).toBe(5);
        expect(info.holders.map(({ take }) => take)).toEqual([2, 1, 2]);
      }));

    it("LK8 small wishes don't pass a big one that waits for its permits", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const sem = { as: "semaphore", permits: 3 } as const;
        const one = held(await t.acquire("s", "a", sem));
        const big = await t.queue("s", "big", { ...sem, take: 3 });
        refused(await t.acquire("s", "small", sem), "lock_held");
        const small = await t.queue("s", "small", sem);
        ended(await t.release("s", "a", one.fence));
        offered(await t.poll("s", "big", big));
        expect(await t.poll("s", "small", small)).toMatchObject({ state: "waiting" });
      }));

    it("LK13 a name that is held, or waited for, as one kind can't be had as another", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("n", "a", { as: "semaphore", permits: 2, take: 2 }));
        refused(await t.acquire("n", "b"), "wrong_kind", { kind: "semaphore", permits: 2 });
        refused(await t.acquire("n", "b", { as: "semaphore", permits: 3, waitMs: 10 }), "wrong_kind");
        refused(await t.acquire("n", "b", { as: "read" }), "wrong_kind");
        refused(await t.proclaim("n", "a", fence, "v"), "wrong_kind");
        const place = await t.queue("n", "b", { as: "semaphore", permits: 2 });
        ended(await t.release("n", "a", fence));
        refused(await t.acquire("n", "c", { as: "election" }), "wrong_kind");
        ended(await t.cancel("n", "b", place));
        held(await t.acquire("n", "c", { as: "election" }));
        refused(await t.acquire("n", "d", { as: "reentrant" }), "wrong_kind", { kind: "election" });
        held(await t.acquire("rw", "c", { as: "write" }));
        refused(await t.acquire("rw", "d", { as: "read" }), "lock_held");
      }));

    it("info and list tell who holds what, since when it may be counted on, and who waits", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        expect(await t.locks.info("nobody")).toEqual({ name: "nobody", holders: [], waiters: 0 });
        const { fence } = held(await t.acquire("a/1", "o", { ttlMs: 8_000, value: text("mine") }));
        await t.queue("a/1", "p");
        await t.queue("a/1", "q");
        await bed.advance(1_000);
        const { holders, waiters } = await t.locks.info("a/1");
        expect(waiters).toBe(2);
        expect(holders).toMatchObject([
          { owner: "o", fence, kind: "mutex", ttlMs: 8_000, count: 1, take: 1, value: text("mine") },
        ]);
        const [holder] = holders;
        expect(holder?.remainingMs).toBeLessThanOrEqual(7_000);
        expect(holder?.remainingMs).toBeGreaterThanOrEqual(7_000 - 6 * slackMs);
        for (const each of ["a/3", "b", "a/2", "ü", "\u{1F600}", "\uFFFD"]) held(await t.acquire(each, "o"));
        const all = await t.locks.list();
        // In order of their UTF-8 bytes, which is not that of JavaScript.
        expect(all.locks.map((lock) => lock.name)).toEqual([
          "a/1",
          "a/2",
          "a/3",
          "b",
          "ü",
          "\uFFFD",
          "\u{1F600}",
        ]);
        expect(all.cursor).toBeUndefined();
        expect(all.locks[0]?.holders[0]).not.toHaveProperty("value");
        const page = await t.locks.list({ prefix: "a/", limit: 2 });
        expect(page.locks.map((lock) => lock.name)).toEqual(["a/1", "a/2"]);
        const { cursor = "" } = page;
        const rest = await t.locks.list({ prefix: "a/", limit: 2, cursor });
        expect(rest).toMatchObject({ locks: [{ name: "a/3" }], cursor: undefined });
      }));
  });
}

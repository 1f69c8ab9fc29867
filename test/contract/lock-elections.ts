import { describe, expect, it } from "vitest";
import type { ObservedElection } from "../../src/lock/lock.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { ended, held, type LocksUnderTest, LockTester, offered, refused, text } from "./lock-bed.ts";

/** Elections: leaders, what they proclaim, and who watches. */
export function lockElections({ name, supports, run, slackMs = 0 }: LocksUnderTest): void {
  const as = "election";
  const told = ({ events }: ObservedElection): string[] =>
    events.map(({ kind, owner, value, reason }) =>
      [kind, owner, value && fromUtf8(value.bytes), reason].filter((part) => part !== undefined).join(" "),
    );

  describe(`locks contract: ${name}: elections`, () => {
    it.runIf(supports.elections)(
      "LK15 a leader is elected with a value, proclaims others, resigns; all of it is observed in order",
      () =>
        run(async (bed) => {
          const [a, b] = [new LockTester(bed), new LockTester(bed)];
          const none = await b.locks.observe("boss", { waitMs: 0 });
          expect(none).toMatchObject({ events: [], gap: false });
          const first = held(await a.acquire("boss", "a", { as, value: text("v1") }));
          expect((await b.locks.info("boss")).holders).toMatchObject([{ owner: "a", value: text("v1") }]);
          held(await a.proclaim("boss", "a", first.fence, "v2"));
          const place = await b.queue("boss", "b", { as, value: text("w1") });
          expect((await b.locks.info("boss")).holders).toMatchObject([{ owner: "a", value: text("v2") }]);
          ended(await a.release("boss", "a", first.fence));
          offered(await b.poll("boss", "b", place));
          const between = await a.locks.observe("boss", { waitMs: 0, cursor: none.cursor });
          expect(told(between)).toEqual(["elected a v1", "proclaimed a v2", "ended a released"]);
          // Nobody leads until the offer is claimed.
          expect(await a.locks.observe("boss", { waitMs: 0 })).toMatchObject({ events: [] });
          held(await b.claim("boss", "b", place));
          const after = await a.locks.observe("boss", { waitMs: 0, cursor: between.cursor });
          expect(told(after)).toEqual(["elected b w1"]);
          const revisions = [...between.events, ...after.events].map(({ revision }) => revision);
          expect(revisions).toEqual(revisions.toSorted((x, y) => x - y));
          expect(new Set(revisions).size).toBe(4);
          expect(told(await a.locks.observe("boss", { waitMs: 0 }))).toEqual(["elected b w1"]);
          refused(await a.proclaim("boss", "a", first.fence, "v3"), "lock_lost", { reason: "released" });
        }),
    );

    it.runIf(supports.elections)(
      "LK15 an observer waits for the next step, and hears of an end by time, too",
      () =>
        run(async (bed) => {
          const [a, b] = [new LockTester(bed), new LockTester(bed)];
          const start = await bed.done(b.locks.observe("boss", { waitMs: 0 }));
          const first = b.locks.observe("boss", { waitMs: 25_000, cursor: start.cursor });
          held(await a.acquire("boss", "a", { as, ttlMs: 4_000 }));
          const elected = await bed.done(first);
          expect(told(elected)).toEqual(["elected a"]);
          const second = b.locks.observe("boss", { waitMs: 25_000, cursor: elected.cursor });
          await bed.advance(4_000 + slackMs);
          expect(told(await bed.done(second))).toEqual(["ended a expired"]);
          const { cursor } = await second;
          const quiet = b.locks.observe("boss", { waitMs: 5_000, cursor });
          await bed.advance(5_000 + 2 * slackMs);
          expect(await quiet).toEqual({ events: [], cursor, gap: false });
        }),
    );

    it.runIf(supports.elections)(
      "LK15 an observer that was away for too long is told of a gap, and of the present leader",
      () =>
        run(async (bed) => {
          const t = new LockTester(bed);
          const start = await t.locks.observe("boss", { waitMs: 0 });
          const { fence } = held(await t.acquire("boss", "a", { as, value: text("v0") }));
          const { cursor } = await t.locks.observe("boss", { waitMs: 0, cursor: start.cursor });
          for (let i = 1; i <= 256; i++) held(await t.proclaim("boss", "a", fence, `v${i}`));
          const all = await t.locks.observe("boss", { waitMs: 0, cursor });
          expect(all.gap).toBe(false);
          expect(all.events).toHaveLength(256);
          held(await t.proclaim("boss", "a", fence, "v257"));
          const missed = await t.locks.observe("boss", { waitMs: 25_000, cursor });
          expect(missed.gap).toBe(true);
          expect(told(missed)).toEqual(["proclaimed a v257"]);
          held(await t.proclaim("boss", "a", fence, "v258"));
          const on = await t.locks.observe("boss", { waitMs: 0, cursor: missed.cursor });
          expect(told(on)).toEqual(["proclaimed a v258"]);
        }),
    );

    it.runIf(supports.elections)(
      "LK15 a cursor of another life is a gap, and one that is none is refused",
      () =>
        run(async (bed) => {
          const t = new LockTester(bed);
          held(await t.acquire("boss", "a", { as }));
          const strange = await t.locks.observe("boss", { waitMs: 0, cursor: "0123456789abcdef.7" });
          expect(strange.gap).toBe(true);
          expect(told(strange)).toEqual(["elected a"]);
          for (const cursor of ["", "x", "1"]) {
            await expect(t.locks.observe("boss", { waitMs: 0, cursor })).rejects.toMatchObject({
              code: "invalid_cursor",
            });
          }
        }),
    );

    it.runIf(supports.elections)("LK15 a forced end and a lost session are steps like any other", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { cursor } = await t.locks.observe("boss", { waitMs: 0 });
        held(await t.acquire("boss", "a", { as }));
        ended(await t.force("boss"), 1);
        const steps = await t.locks.observe("boss", { waitMs: 0, cursor });
        expect(told(steps)).toEqual(["elected a", "ended a forced"]);
      }),
    );

    it.runIf(!supports.elections)("observe is refused where there are no elections", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        await expect(t.locks.observe("boss", { waitMs: 0 })).rejects.toMatchObject({ code: "unsupported" });
      }),
    );
  });
}

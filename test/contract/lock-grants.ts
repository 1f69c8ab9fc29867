import { describe, expect, it } from "vitest";
import type { EndedGrant } from "../../src/lock/lock.ts";
import { ended, held, type LocksUnderTest, LockTester, refused } from "./lock-bed.ts";

/** Grants, their ends and who may end them. */
export function lockGrants({ name, run, supports, slackMs = 0 }: LocksUnderTest): void {
  /** Ends that a node is told of: where it has a session. */
  const told = (ended: EndedGrant) => (supports.sessions ? [ended] : []);
  describe(`locks contract: ${name}: grants`, () => {
    it("LK-01 LK1 a second owner is refused while the lock is held, and granted it after the release, under a higher fence", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const first = held(await a.acquire("job", "a"));
        expect(first).toMatchObject({ ttlMs: 10_000, count: 1 });
        expect(first.remainingMs).toBeGreaterThanOrEqual(10_000 - slackMs);
        refused(await b.acquire("job", "b"), "lock_held", { fence: first.fence, waiters: 0 });
        ended(await a.release("job", "a", first.fence));
        const second = held(await b.acquire("job", "b"));
        expect(second.fence).toBeGreaterThan(first.fence);
      }));

    it("X-12 LK1 of two nodes that race for a name one has it; a node that joins later is refused, too", () =>
      run(async (bed) => {
        const nodes = [new LockTester(bed), new LockTester(bed)];
        const verdicts = await bed.done(
          Promise.all(nodes.map((node, i) => node.locks.run([node.acquiring("job", `o${i}`)]))),
        );
        expect(verdicts.flat().filter(({ outcome }) => outcome === "ok")).toHaveLength(1);
        refused(await new LockTester(bed).acquire("job", "late"), "lock_held");
      }));

    it("LK-03 an acquire of a held lock ends at once without a wait, and at its end with one", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("job", "a"));
        refused(await t.acquire("job", "b"), "lock_held");
        const place = await t.queue("job", "b", { waitMs: 2_000 });
        const waiting = t.wait("job", "b", place);
        let answered = false;
        void waiting.then(() => (answered = true));
        await bed.advance(1_900 - slackMs);
        expect(answered).toBe(false);
        await bed.advance(100 + 3 * slackMs);
        expect(answered).toBe(true);
        refused(await waiting, "lock_held");
        refused(await t.poll("job", "b", place), "lock_held");
        expect((await t.locks.info("job")).waiters).toBe(0);
      }));

    it("LK-04 X-13 LK11 a grant that nobody renews ends with its time to live, and not before", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const grant = held(await a.acquire("job", "a", { ttlMs: 5_000 }));
        await bed.advance(4_999 - 3 * slackMs);
        refused(await b.acquire("job", "b"), "lock_held");
        await bed.advance(1 + 3 * slackMs);
        held(await b.acquire("job", "b"));
        expect(a.ended).toEqual(told({ name: "job", fence: grant.fence, reason: "expired" }));
        expect(b.ended).toEqual([]);
      }));

    it("LK-05 LK4 only owner and fence of the grant release, renew or confirm it; what others try changes nothing", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const { fence } = held(await a.acquire("job", "a"));
        for (const [owner, wrong] of [
          ["b", fence],
          ["a", fence + 1],
        ] as const) {
          refused(await b.release("job", owner, wrong), "not_owner", { fence });
          refused(await b.renew("job", owner, wrong), "not_owner", { fence });
          refused(await b.confirm("job", owner, wrong), "not_owner", { fence });
          refused(await b.proclaim("job", owner, wrong, "v"), "not_owner", { fence });
        }
        // Another name's fence is none of this name.
        refused(await b.release("other", "a", fence), "lock_lost", { reason: "ended", fence: 0 });
        expect((await a.locks.info("job")).holders).toMatchObject([{ owner: "a", fence, count: 1 }]);
        // Whoever has both has it, from wherever it calls.
        ended(await b.release("job", "a", fence));
      }));

    it("X-15 LK5 what ended stays ended: renew, release and confirm say how, and name the present holder's fence", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const old = held(await a.acquire("job", "a", { ttlMs: 1_000 }));
        await bed.advance(1_000);
        refused(await a.renew("job", "a", old.fence), "lock_lost", { reason: "expired", fence: 0 });
        const { fence } = held(await b.acquire("job", "b"));
        refused(await a.renew("job", "a", old.fence), "lock_lost", { reason: "expired", fence });
        refused(await a.release("job", "a", old.fence), "lock_lost", { reason: "expired", fence });
        refused(await a.confirm("job", "a", old.fence), "lock_lost", { reason: "expired", fence });
        expect((await b.locks.info("job")).holders).toMatchObject([{ owner: "b", fence }]);
        ended(await b.release("job", "b", fence));
        refused(await b.release("job", "b", fence), "lock_lost", { reason: "released", fence: 0 });
      }));

    it("LK7 a renewal begins the time anew, and never brings the end forward", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a", { ttlMs: 10_000 }));
        await bed.advance(6_000);
        expect(held(await t.renew("job", "a", fence)).remainingMs).toBeGreaterThanOrEqual(10_000 - slackMs);
        const shorter = held(await t.renew("job", "a", fence, 1_000));
        expect(shorter).toMatchObject({ fence, ttlMs: 1_000 });
        expect(shorter.remainingMs).toBeGreaterThanOrEqual(10_000 - 2 * slackMs);
        await bed.advance(9_000);
        const confirmed = held(await t.confirm("job", "a", fence));
        expect(confirmed.remainingMs).toBeLessThanOrEqual(1_000);
        await bed.advance(1_000);
        refused(await t.confirm("job", "a", fence), "lock_lost", { reason: "expired" });
      }));

    it("LK12 an admin ends a grant: it is kept who did it, the holder is told, the next has a higher fence", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const first = held(await a.acquire("job", "a"));
        ended(await b.force("job", first.fence + 1), 0);
        ended(await b.force("job", first.fence), 1);
        await bed.advance(0);
        expect(a.ended).toEqual(told({ name: "job", fence: first.fence, reason: "forced" }));
        // The force takes a fence of its own, though nobody holds it.
        const lost = await a.renew("job", "a", first.fence);
        refused(lost, "lock_lost", { reason: "forced" });
        const bumped = lost.outcome === "fail" ? Number(lost.error.details?.fence) : 0;
        expect(bumped).toBeGreaterThan(first.fence);
        const next = held(await b.acquire("job", "b"));
        expect(next.fence).toBeGreaterThan(bumped);
        refused(await a.renew("job", "a", first.fence), "lock_lost", { reason: "forced", fence: next.fence });
        const { forced } = await b.locks.info("job");
        expect(forced).toMatchObject({ by: "admin", owner: "a", fence: first.fence });
        ended(await b.force("job"), 1);
        ended(await b.force("never used"), 0);
      }));

    it("LK12 with a delay the name stays closed after an end without a release, and not after a release", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const one = held(await t.acquire("job", "a", { delayMs: 3_000 }));
        ended(await t.release("job", "a", one.fence));
        held(await t.acquire("job", "a", { ttlMs: 1_000, delayMs: 3_000 }));
        await bed.advance(1_000);
        const verdict = await t.acquire("job", "b");
        refused(verdict, "lock_held", { fence: 0 });
        const { closedForMs = 0 } = await t.locks.info("job");
        expect(closedForMs).toBeGreaterThan(0);
        expect(closedForMs).toBeLessThanOrEqual(3_000);
        await bed.advance(3_000);
        held(await t.acquire("job", "b"));
        expect((await t.locks.info("job")).closedForMs).toBeUndefined();
      }));

    it("LK2 fences grow over all names and commands of a call", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        let last = 0;
        for (let round = 0; round < 20; round++) {
          const { fence } = held(await t.acquire("{t}job", "a"));
          expect(fence).toBeGreaterThan(last);
          last = fence;
          if (round % 2 === 0) ended(await t.release("{t}job", "a", fence));
          else await bed.advance(10_000);
        }
        const names = ["{t}a", "{t}b", "{t}c"];
        const verdicts = await t.run(names.map((each) => t.acquiring(each, "o")));
        const fences = verdicts.map((verdict) => held(verdict).fence);
        expect(fences).toEqual(fences.toSorted((x, y) => x - y));
        expect(new Set([last, ...fences]).size).toBe(4);
      }));
  });
}

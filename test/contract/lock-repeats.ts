import { describe, expect, it } from "vitest";
import type { LockCommand } from "../../src/protocol/lock.ts";
import { ended, held, type LocksUnderTest, LockTester, offered, refused, waiting } from "./lock-bed.ts";

/** Op ids, sessions, ends of drivers. */
export function lockRepeats({ name, supports, run, slackMs = 0 }: LocksUnderTest): void {
  describe(`locks contract: ${name}: repeats`, () => {
    it("OU2 a repeated command gets its first verdict and does nothing more", () =>
      run(async (bed) => {
        const [t, other] = [new LockTester(bed), new LockTester(bed)];
        const acquiring = t.acquiring("job", "a");
        const first = held(await t.one(acquiring));
        expect(await other.one(acquiring)).toEqual({ ...first, replayed: true });
        const refusedOnce = t.acquiring("job", "b");
        refused(await t.one(refusedOnce), "lock_held");
        const releasing = {
          kind: "release",
          opId: t.opId(),
          name: "job",
          owner: "a",
          fence: first.fence,
        } as const;
        ended(await t.one(releasing));
        expect(await t.one(releasing)).toEqual({ outcome: "ok", state: "ended", count: 0, replayed: true });
        // The lock is free, yet the same op id is the same refusal; and the same grant, though that has ended.
        expect(await t.one(refusedOnce)).toMatchObject({ error: { code: "lock_held" }, replayed: true });
        expect(await t.one(acquiring)).toEqual({ ...first, remainingMs: 0, replayed: true });
        held(await t.acquire("job", "c"));
      }));

    it("LK7 a repeat says what is left by now, so that nobody counts from it what was left then", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const acquiring = t.acquiring("job", "a", { ttlMs: 10_000 });
        const { fence } = held(await t.one(acquiring));
        const leftOf = async (command: LockCommand): Promise<number> => {
          const verdict = await t.one(command);
          expect(verdict).toMatchObject({ state: "held", fence, replayed: true });
          return held(verdict).remainingMs;
        };
        await bed.advance(4_000);
        expect(await leftOf(acquiring)).toBeLessThanOrEqual(6_000);
        const renewing = { kind: "renew", opId: t.opId(), name: "job", owner: "a", fence } as const;
        held(await t.one(renewing));
        await bed.advance(7_000);
        expect(await leftOf(renewing)).toBeLessThanOrEqual(3_000);
        expect(await leftOf(acquiring)).toBeLessThanOrEqual(3_000);
        await bed.advance(3_000);
        expect(await leftOf(renewing)).toBe(0);
        held(await t.acquire("job", "b"));
        expect(await leftOf(acquiring)).toBe(0);
      }));

    it("OU2 a re-entrant acquire that is repeated counts once", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("r", "a", { as: "reentrant" }));
        const again = t.acquiring("r", "a", { as: "reentrant" });
        for (let i = 0; i < 3; i++) expect(held(await t.one(again)).count).toBe(2);
        ended(await t.release("r", "a", fence), 1);
        ended(await t.release("r", "a", fence), 0);
      }));

    it("OU2 a repeated acquire that stands in the queue is told how its one place stands now", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a"));
        const wanting = t.acquiring("job", "b", { waitMs: 60_000 });
        const place = waiting(await t.one(wanting));
        expect(await t.one(wanting)).toEqual({ ...place, replayed: true });
        expect((await t.locks.info("job")).waiters).toBe(1);
        ended(await t.release("job", "a", fence));
        expect(await t.one(wanting)).toMatchObject({
          state: "offered",
          ticket: place.ticket,
          replayed: true,
        });
        const claimed = held(await t.claim("job", "b", place));
        expect(await t.one(wanting)).toMatchObject({ state: "held", fence: claimed.fence, replayed: true });
        ended(await t.release("job", "b", claimed.fence));
        expect(await t.one(wanting)).toMatchObject({ error: { code: "lock_lost" }, replayed: true });
        held(await t.acquire("job", "c"));
      }));

    it("OU2 a claim is repeated without harm, and under another op id begins the time anew", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a"));
        const place = await t.queue("job", "b", { ttlMs: 5_000 });
        ended(await t.release("job", "a", fence));
        const claiming = {
          kind: "claim",
          opId: t.opId(),
          name: "job",
          owner: "b",
          ticket: place.ticket,
        } as const;
        const first = held(await t.one(claiming));
        expect(await t.one(claiming)).toEqual({ ...first, replayed: true });
        await bed.advance(2_000);
        const again = held(await t.claim("job", "b", place));
        expect(again.fence).toBe(first.fence);
        expect(again.remainingMs).toBeGreaterThanOrEqual(5_000 - slackMs);
      }));

    it("OU2 an op id of another command, of another time, or malformed is refused", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const acquiring = t.acquiring("job", "a");
        const { fence } = held(await t.one(acquiring));
        refused(await t.one({ ...acquiring, ttlMs: 10_001 }), "op_id_reused");
        refused(await t.one({ ...acquiring, name: "other" }), "op_id_reused");
        const { opId } = acquiring;
        refused(await t.one({ kind: "release", opId, name: "job", owner: "a", fence }), "op_id_reused");
        refused(await t.acquire("other", "a", { opId: t.opId(bed.now() - 301_000) }), "op_id_expired");
        refused(await t.acquire("other", "a", { opId: t.opId(bed.now() + 61_000) }), "invalid_op_id");
        refused(await t.acquire("other", "a", { opId: "x" }), "invalid_op_id");
        expect((await t.locks.info("other")).holders).toEqual([]);
      }));

    it("LK3 confirm is no repeat: it says what is so now", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a", { ttlMs: 1_000 }));
        const confirming = { kind: "confirm", opId: t.opId(), name: "job", owner: "a", fence } as const;
        held(await t.one(confirming));
        await bed.advance(1_000);
        refused(await t.one(confirming), "lock_lost", { reason: "expired" });
      }));

    it("commands of one call are carried out in order, each with a verdict of its own", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const verdicts = await t.run([
          t.acquiring("{t}a", "o"),
          t.acquiring("{t}a", "p"),
          t.acquiring("{t}b", "p"),
          t.acquiring("{t}a", "q", { waitMs: 1_000 }),
        ]);
        held(verdicts[0]);
        refused(verdicts[1], "lock_held");
        held(verdicts[2]);
        waiting(verdicts[3]);
        expect(verdicts).toHaveLength(4);
      }));

    it.runIf(supports.sessions)("LK11 what is tied to a session ends with it, and goes on at once", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const tied = held(await a.acquire("tied", "a", { endsWithSession: true, delayMs: 0 }));
        const loose = held(await a.acquire("loose", "a"));
        const place = await b.queue("tied", "b");
        const waitingB = b.wait("tied", "b", place);
        await bed.done(a.locks.close());
        offered(await bed.done(waitingB));
        held(await b.claim("tied", "b", place));
        refused(await b.renew("tied", "a", tied.fence), "lock_lost", { reason: "session" });
        // The other lives on, and whoever knows owner and fence may go on with it.
        held(await b.renew("loose", "a", loose.fence));
      }),
    );

    it.runIf(supports.sessions)(
      "LK9 waiters of a session that ended are passed over, and keep their places",
      () =>
        run(async (bed) => {
          const [a, b] = [new LockTester(bed), new LockTester(bed)];
          const { fence } = held(await b.acquire("job", "x"));
          const gone = await a.queue("job", "a");
          const place = await b.queue("job", "b");
          await bed.done(a.locks.close());
          ended(await b.release("job", "x", fence));
          offered(await b.poll("job", "b", place));
          const turn = held(await b.claim("job", "b", place));
          expect(await b.poll("job", "a", gone)).toMatchObject({ state: "waiting", position: 1 });
          ended(await b.release("job", "b", turn.fence));
          offered(await b.poll("job", "a", gone));
        }),
    );

    it.runIf(!supports.sessions)("endsWithSession is refused where there are no sessions", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        refused(await t.acquire("job", "a", { endsWithSession: true }), "invalid_argument", {
          field: "endsWithSession",
        });
      }),
    );

    it("CO10 a closed driver ends its waits and refuses calls; grants stay", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const { fence } = held(await a.acquire("job", "a"));
        const place = await a.queue("job", "b");
        const wait = expect(a.wait("job", "b", place)).rejects.toMatchObject({ code: "warp_closed" });
        await bed.advance(0);
        await bed.done(a.locks.close());
        await bed.done(a.locks.close());
        await wait;
        await expect(a.locks.run([a.acquiring("other", "a")])).rejects.toMatchObject({ code: "warp_closed" });
        await expect(a.locks.info("job")).rejects.toMatchObject({ code: "warp_closed" });
        expect((await b.locks.info("job")).holders).toMatchObject([{ owner: "a", fence }]);
      }));
  });
}

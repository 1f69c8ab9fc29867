import { describe, expect, it } from "vitest";
import { ended, held, type LocksUnderTest, LockTester, offered, refused } from "./lock-bed.ts";

/** Queues: order, hand-over, claims, cancelled waits. */
export function lockQueues({ name, run, slackMs = 0 }: LocksUnderTest): void {
  describe(`locks contract: ${name}: queues`, () => {
    it("LK-02 LK9 in 200 rounds of an acquire that races a release, the acquire has the lock within 100 ms", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        for (let round = 0; round < 200; round++) {
          const first = held(await a.acquire("job", "a"));
          const wanting = b.lock("job", "b");
          const releasing = a.locks.run([
            { kind: "release", opId: a.opId(), name: "job", owner: "a", fence: first.fence },
          ]);
          await bed.advance(100);
          const second = await bed.done(wanting);
          await releasing;
          expect(second.fence).toBeGreaterThan(first.fence);
          ended(await b.release("job", "b", second.fence));
        }
      }));

    it("LK-06 X-14 LK9 who waits on node B has the lock at once when node A releases it", () =>
      run(async (bed) => {
        const [a, b] = [new LockTester(bed), new LockTester(bed)];
        const { fence } = held(await a.acquire("job", "a", { ttlMs: 60_000 }));
        const wanting = b.lock("job", "b");
        let has = false;
        void wanting.then(() => (has = true));
        await bed.advance(20_000);
        expect(has).toBe(false);
        ended(await a.release("job", "a", fence));
        await bed.advance(20 * slackMs);
        expect(has).toBe(true);
        expect(held(await wanting).fence).toBeGreaterThan(fence);
      }));

    it("LK8 waiters are served in order of arrival, and nobody passes them", () =>
      run(async (bed) => {
        const nodes = [new LockTester(bed), new LockTester(bed), new LockTester(bed)] as const;
        const node = (i: number): LockTester => nodes[i % 3] ?? nodes[0];
        let holder = held(await nodes[0].acquire("job", "first"));
        let owner = "first";
        const places = [];
        for (let i = 0; i < 9; i++) {
          const place = await node(i).queue("job", `w${i}`);
          expect(place.position).toBe(i + 1);
          places.push(place);
        }
        for (const [i, place] of places.entries()) {
          const next = node(i).wait("job", `w${i}`, place);
          for (let later = i + 1; later < 9; later++) {
            expect(await node(later).poll("job", `w${later}`, places[later] ?? place)).toMatchObject({
              state: "waiting",
              position: later - i + 1,
            });
          }
          ended(await nodes[0].release("job", owner, holder.fence));
          const offer = offered(await bed.done(next));
          expect(offer.fence).toBeGreaterThan(holder.fence);
          // No barging: what is offered keeps others out, as do those who wait.
          refused(await nodes[0].acquire("job", "thief"), "lock_held", { fence: offer.fence });
          holder = held(await node(i).claim("job", `w${i}`, place));
          expect(holder.fence).toBe(offer.fence);
          owner = `w${i}`;
        }
      }));

    it("LK9 the time to live begins with the claim", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a"));
        const place = await t.queue("job", "b", { ttlMs: 4_000 });
        ended(await t.release("job", "a", fence));
        const offer = offered(await t.poll("job", "b", place));
        expect(offer.claimWithinMs).toBeLessThanOrEqual(3_000);
        await bed.advance(2_000);
        const claimed = held(await t.claim("job", "b", place));
        expect(claimed.remainingMs).toBeGreaterThanOrEqual(4_000 - slackMs);
        expect(claimed.ttlMs).toBe(4_000);
        // Asked again, the place says what became of it.
        expect(await t.poll("job", "b", place)).toMatchObject({ state: "held", fence: claimed.fence });
      }));

    it("LK9 what is not claimed in time goes on to the next live waiter; the first one keeps its place", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a", { ttlMs: 60_000 }));
        const places = { b: await t.queue("job", "b"), c: await t.queue("job", "c") };
        ended(await t.release("job", "a", fence));
        const toC = t.wait("job", "c", places.c);
        await bed.advance(3_000 + slackMs);
        offered(await bed.done(toC));
        refused(await t.claim("job", "b", places.b), "lock_lost", { reason: "unclaimed" });
        expect(await t.poll("job", "b", places.b)).toMatchObject({ state: "waiting", position: 1 });
        const claimed = held(await t.claim("job", "c", places.c));
        const late = await t.queue("job", "d");
        const again = t.wait("job", "b", places.b);
        ended(await t.release("job", "c", claimed.fence));
        offered(await bed.done(again));
        held(await t.claim("job", "b", places.b));
        expect(await t.poll("job", "d", late)).toMatchObject({ state: "waiting" });
      }));

    it("LK9 a waiter that is silent is passed over, holds up nobody, and has its place again when it is back", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const reader = held(await t.acquire("rw", "r0", { as: "read", ttlMs: 3_600_000 }));
        const writer = await t.queue("rw", "w", { as: "write" });
        const later = await t.queue("rw", "r1", { as: "read" });
        const waiting = t.wait("rw", "r1", later);
        // The writer's grace time passes without a word: the reader behind it is let in.
        await bed.advance(5_000 + slackMs);
        offered(await bed.done(waiting));
        const second = held(await t.claim("rw", "r1", later));
        held(await t.acquire("rw", "r2", { as: "read" }));
        // Back in time: in front again, so that new readers wait.
        expect(await t.poll("rw", "w", writer)).toMatchObject({ state: "waiting", position: 1 });
        refused(await t.acquire("rw", "r3", { as: "read" }), "lock_held");
        await bed.advance(10_000);
        for (const [owner, { fence }] of [
          ["r0", reader],
          ["r1", second],
        ] as const) {
          await t.release("rw", owner, fence);
        }
        // Silent again; the name is free but for it, and it asks.
        await bed.advance(5_000);
        offered(await t.poll("rw", "w", writer));
      }));

    it("LK8 who is silent for a minute loses its place", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("job", "a", { ttlMs: 3_600_000 }));
        const place = await t.queue("job", "b");
        await bed.advance(64_000 - slackMs);
        expect(await t.poll("job", "b", place)).toMatchObject({ state: "waiting" });
        await bed.advance(65_000 + slackMs);
        refused(await t.poll("job", "b", place), "ticket_not_found");
        expect((await t.locks.info("job")).waiters).toBe(0);
      }));

    it("LK8 a waiter that polls for as long as it takes is never given up", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a", { ttlMs: 3_600_000 }));
        const place = await t.queue("job", "b");
        for (let i = 0; i < 10; i++) {
          const waiting = t.wait("job", "b", place);
          await bed.advance(25_000 + 2 * slackMs);
          expect(await waiting).toMatchObject({ state: "waiting", position: 1, ticket: place.ticket });
        }
        const last = t.wait("job", "b", place);
        ended(await t.release("job", "a", fence));
        offered(await bed.done(last));
      }));

    it("LK10 who cancels leaves the queue, or gives back what it was offered, or releases what it claimed", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a"));
        const places = [];
        for (const owner of ["b", "c", "d", "e"]) places.push(await t.queue("job", owner));
        const [b, c, d, e] = places as [
          (typeof places)[0],
          (typeof places)[0],
          (typeof places)[0],
          (typeof places)[0],
        ];
        ended(await t.cancel("job", "b", b));
        refused(await t.poll("job", "b", b), "ticket_not_found");
        expect(await t.poll("job", "c", c)).toMatchObject({ position: 1 });
        ended(await t.release("job", "a", fence));
        offered(await t.poll("job", "c", c));
        ended(await t.cancel("job", "c", c));
        offered(await t.poll("job", "d", d));
        const claimed = held(await t.claim("job", "d", d));
        ended(await t.cancel("job", "d", d));
        refused(await t.renew("job", "d", claimed.fence), "lock_lost", { reason: "cancelled" });
        refused(await t.cancel("job", "d", d), "lock_lost", { reason: "cancelled" });
        offered(await t.poll("job", "e", e));
        refused(await t.cancel("job", "b", b), "ticket_not_found");
      }));

    it("LK10 a writer that cancels lets the readers behind it in", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("rw", "r0", { as: "read" }));
        const writer = await t.queue("rw", "w", { as: "write" });
        const reader = await t.queue("rw", "r1", { as: "read" });
        const waiting = t.wait("rw", "r1", reader);
        ended(await t.cancel("rw", "w", writer));
        offered(await bed.done(waiting));
      }));

    it("LK10 a caller that gives up its call keeps its place", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("job", "a"));
        const place = await t.queue("job", "b");
        const giveUp = new AbortController();
        const waiting = t.locks.wait(
          { name: "job", owner: "b", ticket: place.ticket, waitMs: 25_000 },
          { signal: giveUp.signal },
        );
        const failed = expect(waiting).rejects.toMatchObject({ code: "aborted", outcome: "fail" });
        await bed.advance(10);
        giveUp.abort();
        await failed;
        expect(await t.poll("job", "b", place)).toMatchObject({ state: "waiting", position: 1 });
      }));

    it("LK4 a ticket is its owner's: others are refused, and a name it is not of knows it not", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a"));
        const place = await t.queue("job", "b");
        refused(await t.poll("job", "c", place), "not_owner");
        refused(await t.claim("job", "c", place), "not_owner");
        refused(await t.cancel("job", "c", place), "not_owner");
        refused(await t.poll("other", "b", place), "ticket_not_found");
        refused(await t.claim("job", "b", { ticket: "nonsense" }), "ticket_not_found");
        refused(await t.claim("job", "b", place), "lock_waiting", { ticket: place.ticket, position: 1 });
        ended(await t.release("job", "a", fence));
        const { fence: next } = offered(await t.poll("job", "b", place));
        refused(await t.renew("job", "b", next), "lock_waiting");
        refused(await t.claim("job", "c", place), "not_owner");
        held(await t.claim("job", "b", place));
      }));

    it("LK12 what an admin takes away of an offer is not offered again to the same waiter", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const { fence } = held(await t.acquire("job", "a"));
        const [b, c] = [await t.queue("job", "b"), await t.queue("job", "c")];
        ended(await t.force("job", fence), 1);
        offered(await t.poll("job", "b", b));
        ended(await t.force("job"), 1);
        refused(await t.claim("job", "b", b), "lock_lost", { reason: "forced" });
        offered(await t.poll("job", "c", c));
      }));

    it("LK12 waiters are served when a closed name opens", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("job", "a", { ttlMs: 1_000, delayMs: 2_000 }));
        const wanting = t.lock("job", "b");
        let has = false;
        void wanting.then(() => (has = true));
        await bed.advance(2_900 - 3 * slackMs);
        expect(has).toBe(false);
        await bed.advance(100 + 20 * slackMs);
        expect(has).toBe(true);
        await wanting;
      }));
  });
}

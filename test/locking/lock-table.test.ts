import { describe, expect, it } from "vitest";
import type { LockGrant } from "../../src/locking/lock-store.ts";
import { LockTable } from "../../src/locking/lock-table.ts";
import { MemoryLockStore } from "../../src/locking/memory-lock-store.ts";
import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import {
  clockStepMs,
  lockClaimMs,
  maxLiveGrants,
  maxWaiters,
} from "../../src/runtime/coordination-limits.ts";
import { held, offered, refused, waiting } from "../contract/lock-bed.ts";

type Acquire = Extract<LockCommand, { kind: "acquire" }>;

const startMs = 1_790_000_000_000;

function tableOf(store = new MemoryLockStore()) {
  const awaited = new Set<string>();
  const table = new LockTable({ store, isAwaited: (ticket) => awaited.has(ticket) });
  const acquire = (
    name: string,
    owner: string,
    nowMs: number,
    extra: Partial<Acquire> = {},
    session?: string,
  ): LockVerdict =>
    table.run(
      { kind: "acquire", opId: "", name, owner, as: "mutex", ttlMs: 10_000, ...extra },
      nowMs,
      session,
    );
  const release = (name: string, owner: string, fence: number, nowMs: number): LockVerdict =>
    table.run({ kind: "release", opId: "", name, owner, fence }, nowMs);
  return { table, store, awaited, acquire, release };
}

describe("lock table", () => {
  it("LK7 an instance that finds rows of another one puts everything off by what two clocks may differ, once", () => {
    const { table, store, acquire } = tableOf();
    const { fence } = held(acquire("a", "o", startMs));
    const { ticket } = waiting(acquire("a", "w", startMs, { waitMs: 20_000 }));
    const other = held(acquire("b", "o", startMs, { ttlMs: 100, delayMs: 5_000 }));
    table.expire(startMs + 100);
    expect(other.fence).toBeGreaterThan(fence);
    table.rebuilt(() => true, startMs + 200);
    expect(table.expire(startMs + 10_000 + clockStepMs - 1)).toBe(false);
    expect(table.isHeld("a", fence)).toBe(true);
    expect(store.waiter(ticket)?.waitUntilMs).toBe(startMs + 20_000 + clockStepMs);
    // The name that was closed is open again, later by as much.
    expect(store.delayOf("b")).toBeUndefined();
    table.expire(startMs + 10_000 + clockStepMs);
    expect(table.isHeld("a", fence)).toBe(false);
  });

  it("LK9 who has let an offer pass is not brought back to life by that, nor by a clock that is set back", () => {
    for (const happens of ["another instance", "another time"] as const) {
      const { table, store, acquire, release } = tableOf();
      const { fence } = held(acquire("a", "o", startMs));
      const dead = waiting(acquire("a", "dead", startMs, { waitMs: 60_000 })).ticket;
      const next = waiting(acquire("a", "next", startMs, { waitMs: 60_000 })).ticket;
      release("a", "o", fence, startMs);
      table.poll({ name: "a", owner: "next", ticket: next }, 5_000, startMs);
      const passedMs = startMs + lockClaimMs;
      table.expire(passedMs);
      const claim = { kind: "claim", opId: "", name: "a", owner: "next", ticket: next } as const;
      const claimed = held(table.run(claim, passedMs));
      let nowMs = passedMs;
      if (happens === "another instance") table.rebuilt(() => true, nowMs);
      else nowMs -= clockStepMs;
      release("a", "next", claimed.fence, nowMs);
      expect(store.liveGrants, happens).toBe(0);
      // It keeps its place: heard of again, it is the first.
      const offer = offered(table.poll({ name: "a", owner: "dead", ticket: dead }, 5_000, nowMs));
      expect(offer.fence).toBeGreaterThan(claimed.fence);
    }
  });

  it("LK11 sessions that did not outlive the change of instances have ended", () => {
    const { table, acquire } = tableOf();
    const tied = { endsWithSession: true } as const;
    const [gone, open] = [
      held(acquire("a", "o", startMs, tied, "gone")),
      held(acquire("b", "o", startMs, tied, "open")),
    ];
    const untied = held(acquire("c", "o", startMs, {}, "gone"));
    table.rebuilt((session) => session === "open", startMs + 100);
    expect(table.isHeld("a", gone.fence)).toBe(false);
    expect(table.isHeld("b", open.fence)).toBe(true);
    expect(table.isHeld("c", untied.fence)).toBe(true);
    expect(table.takeHints().ended).toEqual([
      { name: "a", fence: gone.fence, session: "gone", reason: "session" },
    ]);
  });

  it("LK9 what one session's end frees is not offered to a waiter whose session ended with it", () => {
    const leaving = (leave: (table: LockTable) => void) => {
      const { table, store, acquire } = tableOf();
      held(acquire("a", "o", startMs, { endsWithSession: true }, "one"));
      const gone = waiting(acquire("a", "gone", startMs, { waitMs: 20_000 }, "two"));
      const here = waiting(acquire("a", "here", startMs, { waitMs: 20_000 }, "open"));
      leave(table);
      return [gone, here].map(({ ticket }) => store.grantOf(ticket)?.offered);
    };
    const isOpen = (session: string): boolean => session === "open";
    expect(leaving((table) => table.rebuilt(isOpen, startMs + 100))).toEqual([undefined, true]);
    expect(leaving((table) => table.left(["one", "two"], startMs + 100))).toEqual([undefined, true]);
  });

  it("LK6 one stretch ends at most 1,000 things, and says that there is more", () => {
    const { table, store, acquire } = tableOf();
    for (let i = 0; i < 1_500; i++) held(acquire(`n${i}`, "o", startMs, { ttlMs: 1_000 }));
    expect(table.expire(startMs + 999)).toBe(false);
    expect(store.liveGrants).toBe(1_500);
    expect(table.expire(startMs + 1_000)).toBe(true);
    expect(store.liveGrants).toBe(500);
    expect(table.expire(startMs + 1_000)).toBe(false);
    expect(store.liveGrants).toBe(0);
  });

  it("LK12 a delay that is over does not open a name that a later end has closed in the same stretch", () => {
    const { table, acquire, store } = tableOf();
    const as = "read";
    held(acquire("n", "a", startMs, { as, ttlMs: 1_000, delayMs: 1_000 }));
    held(acquire("n", "b", startMs, { as, ttlMs: 1_500, delayMs: 1_000 }));
    table.expire(startMs + 1_000);
    expect(store.delayOf("n")).toBe(startMs + 2_000);
    table.expire(startMs + 5_000);
    expect(store.delayOf("n")).toBe(startMs + 6_000);
    refused(acquire("n", "c", startMs + 5_000), "lock_held", { closedForMs: 1_000 });
    table.expire(startMs + 6_000);
    held(acquire("n", "c", startMs + 6_000));
  });

  it("LK9 who is waited for counts as live, however long the call takes", () => {
    const { table, acquire, release, awaited } = tableOf();
    const { fence } = held(acquire("n", "a", startMs, { ttlMs: 3_600_000 }));
    const place = waiting(acquire("n", "b", startMs, { waitMs: 3_600_000 }));
    awaited.add(place.ticket);
    for (let s = 1; s < 200; s++) table.expire(startMs + s * 1_000);
    release("n", "a", fence, startMs + 200_000);
    const at = { name: "n", owner: "b", ticket: place.ticket };
    offered(table.settled(at, startMs + 200_000));
  });

  it("hints name the tickets, elections and sessions that may have something to hear, once", () => {
    const { table, acquire, release } = tableOf();
    const { fence } = held(acquire("n", "a", startMs, { as: "election" }, "s"));
    const { ticket } = waiting(acquire("n", "b", startMs, { as: "election", waitMs: 60_000 }, "t"));
    expect([...table.takeHints().elections]).toEqual(["n"]);
    const at = { name: "n", owner: "b", ticket };
    expect(table.settled(at, startMs)).toBeUndefined();
    expect(table.standing(at, startMs)).toMatchObject({ state: "waiting", position: 1 });
    release("n", "a", fence, startMs + 1);
    const hints = table.takeHints();
    expect([...hints.tickets]).toEqual([ticket]);
    // By the owner's own word: nobody has to be told.
    expect(hints.ended).toEqual([]);
    const offer = offered(table.settled(at, startMs + 1));
    table.expire(startMs + 3_001);
    expect(table.takeHints().ended).toEqual([
      { name: "n", fence: offer.fence, session: "t", reason: "unclaimed" },
    ]);
    expect(table.takeHints()).toEqual({ tickets: new Set(), elections: new Set(), ended: [] });
  });

  it("LK2 what is collected gives no fence back, and what is known of it is gone", () => {
    const { table, store, acquire, release } = tableOf();
    const { fence } = held(acquire("n", "a", startMs));
    release("n", "a", fence, startMs);
    table.collect(startMs + 600_000);
    expect(store.grant(fence)?.ended?.reason).toBe("released");
    table.collect(startMs + 600_001);
    expect(store.grant(fence)).toBeUndefined();
    refused(release("n", "a", fence, startMs), "lock_lost", { reason: "ended", fence: 0 });
    const next = held(acquire("n", "a", startMs + 700_000));
    expect(next.fence).toBeGreaterThan(fence);
    refused(release("n", "a", fence, startMs + 700_000), "not_owner", { fence: next.fence });
  });

  it("LK15 steps of an election without a leader go after a day; a late observer is told of the gap", () => {
    const { table, acquire, release } = tableOf();
    const before = table.steps("e", undefined).to;
    const { fence } = held(acquire("e", "a", startMs, { as: "election" }));
    release("e", "a", fence, startMs);
    expect(table.steps("e", before).events).toHaveLength(2);
    table.collect(startMs + 86_400_001);
    expect(table.steps("e", before)).toMatchObject({ events: [], gap: true });
    const { to } = table.steps("e", before);
    held(acquire("e", "b", startMs + 86_400_002, { as: "election" }));
    expect(table.steps("e", to)).toMatchObject({ events: [{ kind: "elected", owner: "b" }], gap: false });
    expect(table.steps("e", before).gap).toBe(true);
  });

  it("a shard has a bound of live grants and of waiters; what frees others may pass it", () => {
    class Full extends MemoryLockStore {
      full = false;
      override get liveGrants(): number {
        return this.full ? maxLiveGrants : super.liveGrants;
      }
      override get waiters(): number {
        return this.full ? maxWaiters : super.waiters;
      }
    }
    const store = new Full();
    const { table, acquire, release } = tableOf(store);
    const { fence } = held(acquire("n", "a", startMs));
    const { ticket } = waiting(acquire("n", "b", startMs, { waitMs: 10_000 }));
    store.full = true;
    refused(acquire("m", "a", startMs), "overloaded", { max: maxLiveGrants });
    refused(acquire("n", "c", startMs, { waitMs: 10_000 }), "overloaded", { max: maxWaiters });
    release("n", "a", fence, startMs);
    offered(table.settled({ name: "n", owner: "b", ticket }, startMs));
  });

  it("info tells of at most 100 holders and counts the others; a list of 16", () => {
    const { table, acquire } = tableOf();
    for (let i = 0; i < 130; i++) held(acquire("n", `o${i}`, startMs, { as: "read" }));
    const info = table.info("n", startMs);
    expect(info.holders).toHaveLength(100);
    expect(info.omitted).toBe(30);
    const [listed] = table.list("", undefined, 10, startMs).locks;
    expect(listed?.holders).toHaveLength(16);
    expect(listed?.omitted).toBe(114);
  });

  it("a value is not kept beyond the end of its grant", () => {
    const { store, acquire, release } = tableOf();
    const value = { bytes: new Uint8Array(9), contentType: "a/b" };
    const { fence } = held(acquire("n", "a", startMs, { value }));
    expect(store.grant(fence)?.value).toEqual(value);
    release("n", "a", fence, startMs);
    expect((store.grant(fence) as LockGrant).value).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import type { LockGrant, LockStore, LockWaiter } from "../../src/locking/lock-store.ts";
import type { ElectionEvent, LockEnd } from "../../src/protocol/lock.ts";
import { maxElectionEvents } from "../../src/runtime/coordination-limits.ts";
import { text } from "./lock-bed.ts";

/** One empty store. */
export interface LockStoreBed {
  readonly store: LockStore;
  /** Sets the clocks that the store has, if it has any, to a moment; never back. */
  moveTo(nowMs: number): void;
}

const startMs = 1_790_000_000_000;

/** What every store of a lock table must do. `run` makes a store and does the work on it, in one stretch. */
export function lockStoreContract(name: string, run: (work: (bed: LockStoreBed) => void) => void): void {
  const on = (work: (store: LockStore, bed: LockStoreBed) => void): (() => void) => {
    return () =>
      run((bed) => {
        bed.moveTo(startMs);
        work(bed.store, bed);
      });
  };

  describe(`lock store contract: ${name}`, () => {
    it(
      "LK2 gives revisions that only grow",
      on((store) => {
        const given = Array.from({ length: 50 }, () => store.reserve());
        for (const [i, revision] of given.entries()) {
          expect(Number.isSafeInteger(revision)).toBe(true);
          expect(revision).toBeGreaterThan(given[i - 1] ?? 0);
        }
      }),
    );

    it(
      "gives a grant back as it was put, by its fence, its name and its ticket",
      on((store) => {
        const plain = grantAt(store, { name: "a" });
        const full = grantAt(store, {
          name: "a\0ü\u{1F600}",
          owner: "o'\"ü",
          kind: "semaphore",
          permits: 9,
          take: 4,
          count: 3,
          ticket: "t1",
          offered: true,
          delayMs: 500,
          value: text("v"),
          session: "s1",
          endsWithSession: true,
        });
        for (const grant of [plain, full]) {
          expect(store.grant(grant.fence)).toEqual(grant);
          expect(store.live(grant.name, 10)).toEqual([grant]);
        }
        expect(store.grantOf("t1")).toEqual(full);
        expect(store.grantOf("t2")).toBeUndefined();
        expect(store.grant(full.fence + 1)).toBeUndefined();
        expect(store.live("b", 10)).toEqual([]);
        expect(store.usage("b")).toBeUndefined();
        expect(store.liveGrants).toBe(2);
      }),
    );

    it(
      "keeps values of no bytes and of any bytes apart from none",
      on((store) => {
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
        for (const value of [
          { bytes: new Uint8Array(0), contentType: "" },
          { bytes, contentType: "x/y" },
        ]) {
          const { fence } = grantAt(store, { value });
          const read = store.grant(fence)?.value;
          expect(read?.contentType).toBe(value.contentType);
          expect([...(read?.bytes ?? [])]).toEqual([...value.bytes]);
          const waiter = waiterAt(store, { value });
          expect(store.waiter(waiter.ticket)?.value?.contentType).toBe(value.contentType);
        }
      }),
    );

    it(
      "replaces a grant of the same fence, and no longer counts it as live when it has ended",
      on((store) => {
        const [one, two, three] = [0, 1, 2].map(() => grantAt(store, { kind: "read" })) as [
          LockGrant,
          LockGrant,
          LockGrant,
        ];
        expect(store.usage("n")).toEqual({
          kind: "read",
          permits: 1,
          grants: 3,
          taken: 3,
          fence: three.fence,
        });
        const renewed = { ...one, deadlineMs: startMs + 99_000, ttlMs: 99_000, count: 2 };
        store.putGrant(renewed);
        expect(store.live("n", 10)).toEqual([renewed, two, three]);
        expect(store.live("n", 2)).toEqual([renewed, two]);
        const gone = endOf(three, "released");
        store.putGrant(gone);
        expect(store.grant(three.fence)).toEqual(gone);
        expect(store.live("n", 10)).toEqual([renewed, two]);
        expect(store.usage("n")).toMatchObject({ grants: 2, fence: two.fence });
        expect(store.liveGrants).toBe(2);
        store.putGrant(endOf(renewed, "expired"));
        store.putGrant(endOf(two, "forced", startMs, "admin"));
        expect(store.usage("n")).toBeUndefined();
        expect(store.liveGrants).toBe(0);
        expect(store.grant(two.fence)?.ended).toEqual(endOf(two, "forced", startMs, "admin").ended);
      }),
    );

    it(
      "adds up what live grants take",
      on((store) => {
        for (const take of [2, 3]) grantAt(store, { kind: "semaphore", permits: 9, take });
        expect(store.usage("n")).toMatchObject({ kind: "semaphore", permits: 9, grants: 2, taken: 5 });
      }),
    );

    it(
      "finds the newest grant of a ticket, ended or not",
      on((store) => {
        const first = grantAt(store, { ticket: "t" });
        store.putGrant(endOf(first, "unclaimed"));
        expect(store.grantOf("t")?.fence).toBe(first.fence);
        const second = grantAt(store, { ticket: "t" });
        expect(store.grantOf("t")?.fence).toBe(second.fence);
        store.putGrant({ ...endOf(first, "unclaimed"), count: 1 });
        expect(store.grantOf("t")?.fence).toBe(second.fence);
      }),
    );

    it(
      "keeps waiters in order of arrival, by name and by ticket",
      on((store) => {
        const queue = Array.from({ length: 5 }, (_, i) =>
          waiterAt(store, {
            owner: `w${i}`,
            ...(i === 2 && {
              kind: "semaphore" as const,
              permits: 5,
              take: 2,
              session: "s",
              endsWithSession: true,
            }),
          }),
        );
        const other = waiterAt(store, { name: "m" });
        expect(store.queue("n", 0, 10)).toEqual(queue);
        expect(store.queue("n", 0, 2)).toEqual(queue.slice(0, 2));
        expect(store.queue("n", queue[1]?.arrived ?? 0, 2)).toEqual(queue.slice(2, 4));
        expect(store.queue("m", 0, 10)).toEqual([other]);
        expect(store.countWaiters("n")).toBe(5);
        expect(store.countWaiters("n", queue[3]?.arrived ?? 0)).toBe(3);
        expect(store.waiters).toBe(6);
        const changed = { ...(queue[1] as LockWaiter), liveUntilMs: 5, session: "t" };
        store.putWaiter(changed);
        expect(store.waiter(changed.ticket)).toEqual(changed);
        expect(store.queue("n", 0, 10)[1]).toEqual(changed);
        expect(store.waiters).toBe(6);
        store.removeWaiter(changed.ticket);
        store.removeWaiter(changed.ticket);
        expect(store.waiter(changed.ticket)).toBeUndefined();
        expect(store.countWaiters("n")).toBe(4);
        expect(store.countWaiters("x")).toBe(0);
        expect(store.waiters).toBe(5);
      }),
    );

    it(
      "keeps until when a name is closed",
      on((store) => {
        expect(store.delayOf("n")).toBeUndefined();
        store.setDelay("n", startMs + 10);
        store.setDelay("n", startMs + 20);
        expect(store.delayOf("n")).toBe(startMs + 20);
        store.setDelay("n", undefined);
        expect(store.delayOf("n")).toBeUndefined();
        expect(store.nextDueMs()).toBeUndefined();
      }),
    );

    it(
      "finds what is of a session, live only",
      on((store) => {
        const mine = grantAt(store, { session: "s" });
        const over = grantAt(store, { session: "s" });
        store.putGrant(endOf(over, "released"));
        grantAt(store, { session: "t" });
        grantAt(store, {});
        const waiter = waiterAt(store, { session: "s" });
        waiterAt(store, { session: "u" });
        expect(store.ofSession("s")).toEqual({ grants: [mine], waiters: [waiter] });
        expect(store.ofSession("x")).toEqual({ grants: [], waiters: [] });
        expect([...store.sessions()].sort()).toEqual(["s", "t", "u"]);
      }),
    );

    it(
      "LK6 tells what is due, the earliest first, and nothing before its time",
      on((store, bed) => {
        const late = grantAt(store, { name: "a", deadlineMs: startMs + 5_000 });
        const early = grantAt(store, { name: "b", deadlineMs: startMs + 1_000 });
        const waiter = waiterAt(store, { name: "c", dueMs: startMs + 3_000 });
        store.setDelay("d", startMs + 2_000);
        const all = [
          { what: "grant", name: "b", fence: early.fence },
          { what: "delay", name: "d" },
          { what: "waiter", name: "c", ticket: waiter.ticket },
          { what: "grant", name: "a", fence: late.fence },
        ];
        expect(store.nextDueMs()).toBe(startMs + 1_000);
        for (const [afterMs, count] of [
          [999, 0],
          [1_000, 1],
          [2_999, 2],
          [3_000, 3],
          [5_000, 4],
        ] as const) {
          bed.moveTo(startMs + afterMs);
          expect(store.due(startMs + afterMs, 10)).toEqual(all.slice(0, count));
        }
        expect(store.due(startMs + 5_000, 2)).toHaveLength(2);
        // What ended, was put off or was removed is due no more.
        store.putGrant(endOf(early, "expired"));
        store.setDelay("d", undefined);
        store.removeWaiter(waiter.ticket);
        store.putGrant({ ...late, deadlineMs: startMs + 9_000 });
        expect(store.due(startMs + 5_000, 10)).toEqual([]);
        expect(store.nextDueMs()).toBe(startMs + 9_000);
        store.putGrant(endOf(late, "released"));
        expect(store.nextDueMs()).toBeUndefined();
      }),
    );

    it(
      "puts everything off that is to come, and nothing that has ended",
      on((store, bed) => {
        const grant = grantAt(store, { deadlineMs: startMs + 1_000 });
        const over = endOf(grantAt(store, {}), "released");
        store.putGrant(over);
        const waiter = waiterAt(store, {});
        store.setDelay("d", startMs + 2_000);
        store.putOff(700);
        expect(store.grant(grant.fence)?.deadlineMs).toBe(startMs + 1_700);
        expect(store.grant(over.fence)).toEqual(over);
        const { liveUntilMs, waitUntilMs, dueMs } = waiter;
        expect(store.waiter(waiter.ticket)).toEqual({
          ...waiter,
          liveUntilMs: liveUntilMs + 700,
          waitUntilMs: waitUntilMs + 700,
          dueMs: dueMs + 700,
        });
        expect(store.delayOf("d")).toBe(startMs + 2_700);
        bed.moveTo(startMs + 1_699);
        expect(store.due(startMs + 1_699, 10)).toEqual([]);
        bed.moveTo(startMs + 1_700);
        expect(store.due(startMs + 1_700, 10)).toHaveLength(1);
      }),
    );

    it(
      "collects ended grants by their age, forced ones by another, live ones never",
      on((store) => {
        const live = grantAt(store, { deadlineMs: startMs - 1e9 });
        const old = grantAt(store, { ticket: "t" });
        const young = grantAt(store, {});
        const forced = grantAt(store, {});
        store.putGrant(endOf(old, "expired", startMs - 2_000));
        store.putGrant(endOf(forced, "forced", startMs - 2_000, "admin"));
        store.putGrant(endOf(young, "released", startMs - 1_000));
        const ages = {
          endedBeforeMs: startMs - 1_000,
          forcedBeforeMs: startMs - 5_000,
          stepsBeforeMs: startMs,
        };
        expect(store.collect(ages, 100)).toBe(false);
        expect(store.grant(old.fence)).toBeUndefined();
        expect(store.grantOf("t")).toBeUndefined();
        for (const { fence } of [live, young, forced]) expect(store.grant(fence)?.fence).toBe(fence);
        expect(store.lastForced("n")?.fence).toBe(forced.fence);
        const before = store.reserve();
        store.collect({ ...ages, endedBeforeMs: startMs, forcedBeforeMs: startMs }, 100);
        for (const { fence } of [young, forced]) expect(store.grant(fence)).toBeUndefined();
        expect(store.lastForced("n")).toBeUndefined();
        expect(store.grant(live.fence)).toEqual(live);
        // Rule LK2: what is gone gives no number back.
        expect(store.reserve()).toBeGreaterThan(before);
      }),
    );

    it(
      "collects a bounded number of rows at once, and says when there may be more",
      on((store) => {
        const fences = Array.from({ length: 10 }, () => grantAt(store, {}));
        for (const grant of fences) store.putGrant(endOf(grant, "released", startMs - 10));
        const ages = { endedBeforeMs: startMs, forcedBeforeMs: startMs, stepsBeforeMs: startMs };
        expect(store.collect(ages, 6)).toBe(true);
        expect(fences.filter(({ fence }) => store.grant(fence) !== undefined)).toHaveLength(4);
        expect(store.collect(ages, 6)).toBe(false);
        expect(fences.filter(({ fence }) => store.grant(fence) !== undefined)).toHaveLength(0);
      }),
    );

    it(
      "knows the last forced end of a name",
      on((store) => {
        expect(store.lastForced("n")).toBeUndefined();
        const [one, two] = [grantAt(store, {}), grantAt(store, {})];
        store.putGrant(endOf(one, "forced", startMs, "x"));
        store.putGrant(endOf(two, "forced", startMs + 1, "y"));
        store.putGrant(endOf(grantAt(store, {}), "released", startMs + 2));
        expect(store.lastForced("n")?.ended).toEqual(endOf(two, "forced", startMs + 1, "y").ended);
        expect(store.lastForced("m")).toBeUndefined();
      }),
    );

    it(
      "lists names in use in order of their bytes, a page at a time",
      on((store) => {
        for (const each of ["b", "a/2", "\u{1F600}", "\uFFFD"]) grantAt(store, { name: each });
        grantAt(store, { name: "b", kind: "read" });
        waiterAt(store, { name: "a/1" });
        waiterAt(store, { name: "a/2" });
        store.setDelay("c", startMs + 10);
        store.putGrant(endOf(grantAt(store, { name: "over" }), "released"));
        store.addEvent("elected once", stepAt(store), startMs);
        const all = ["a/1", "a/2", "b", "c", "\uFFFD", "\u{1F600}"];
        expect(store.names("", undefined, 100)).toEqual(all);
        expect(store.names("", undefined, 2)).toEqual(all.slice(0, 2));
        expect(store.names("", "a/2", 2)).toEqual(all.slice(2, 4));
        expect(store.names("a/", undefined, 100)).toEqual(["a/1", "a/2"]);
        expect(store.names("a/", "a/1", 100)).toEqual(["a/2"]);
        expect(store.names("\uFFFD", undefined, 100)).toEqual(["\uFFFD"]);
        expect(store.names("x", undefined, 100)).toEqual([]);
      }),
    );

    it(
      "LK15 keeps the newest steps of an election, and knows what it has let go",
      on((store) => {
        expect(store.events("e", 0)).toEqual({ events: [], floor: 0 });
        const steps = Array.from({ length: maxElectionEvents + 3 }, () => stepAt(store));
        for (const [i, step] of steps.entries()) {
          store.addEvent("e", { ...step, ...(i % 2 === 0 && { value: text(`v${i}`) }) }, startMs);
        }
        store.addEvent("f", stepAt(store), startMs);
        const { events, floor } = store.events("e", 0);
        expect(events.map(({ revision }) => revision)).toEqual(
          steps.slice(3).map(({ revision }) => revision),
        );
        expect(floor).toBe(steps[2]?.revision);
        expect(events[1]).toEqual({ ...steps[4], value: text("v4") });
        expect(events[0]).toEqual(steps[3]);
        const last = steps.at(-2)?.revision ?? 0;
        expect(store.events("e", last).events).toHaveLength(1);
        expect(store.events("f", 0)).toMatchObject({ floor: 0 });
      }),
    );

    it(
      "LK15 lets old steps go where nobody leads, and tells that it did",
      on((store) => {
        const [a, b] = [stepAt(store), stepAt(store)];
        store.addEvent("idle", a, startMs - 2_000);
        store.addEvent("idle", b, startMs - 1_000);
        const leading = grantAt(store, { name: "led", kind: "election" });
        const c = stepAt(store);
        store.addEvent("led", c, startMs - 2_000);
        const ages = { endedBeforeMs: 0, forcedBeforeMs: 0, stepsBeforeMs: startMs - 1_000 };
        store.collect(ages, 100);
        expect(store.events("idle", 0)).toEqual({ events: [b], floor: a.revision });
        expect(store.events("led", 0)).toEqual({ events: [c], floor: 0 });
        store.collect({ ...ages, stepsBeforeMs: startMs }, 100);
        const { events, floor } = store.events("idle", 0);
        expect(events).toEqual([]);
        expect(floor).toBeGreaterThanOrEqual(b.revision);
        // Not even a new step makes it forget that there were others.
        const d = stepAt(store);
        store.addEvent("idle", d, startMs);
        expect(store.events("idle", 0).events).toEqual([d]);
        expect(store.events("idle", 0).floor).toBeGreaterThanOrEqual(b.revision);
        expect(store.events("idle", 0).floor).toBeLessThan(d.revision);
        expect(leading.fence).toBeLessThan(c.revision);
      }),
    );
  });
}

function grantAt(store: LockStore, extra: Partial<LockGrant>): LockGrant {
  const grant: LockGrant = {
    name: "n",
    fence: store.reserve(),
    owner: "o",
    kind: "mutex",
    permits: 1,
    take: 1,
    count: 1,
    ttlMs: 10_000,
    deadlineMs: startMs + 10_000,
    ticket: undefined,
    offered: false,
    delayMs: 0,
    value: undefined,
    session: undefined,
    endsWithSession: false,
    ended: undefined,
    ...extra,
  };
  store.putGrant(grant);
  return grant;
}

function endOf(grant: LockGrant, reason: LockEnd, atMs = startMs, by?: string): LockGrant {
  const forced = by === undefined ? {} : { by, fence: grant.fence + 1_000 };
  return { ...grant, value: undefined, ended: { atMs, reason, ...forced } };
}

function waiterAt(store: LockStore, extra: Partial<LockWaiter>): LockWaiter {
  const arrived = store.reserve();
  const waiter: LockWaiter = {
    name: "n",
    ticket: `ticket-${arrived}`,
    arrived,
    owner: "w",
    kind: "mutex",
    permits: 1,
    take: 1,
    ttlMs: 10_000,
    delayMs: 0,
    value: undefined,
    session: undefined,
    endsWithSession: false,
    liveUntilMs: startMs + 20_000,
    waitUntilMs: startMs + 60_000,
    dueMs: startMs + 20_000,
    ...extra,
  };
  store.putWaiter(waiter);
  return waiter;
}

function stepAt(store: LockStore): ElectionEvent {
  const revision = store.reserve();
  return { revision, kind: "proclaimed", owner: "o", fence: revision };
}

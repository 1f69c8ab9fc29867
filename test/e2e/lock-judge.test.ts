import { describe, expect, test } from "vitest";
import { type HeldLock, LockLedger } from "../support/twin/lock-ledger.ts";

const base: HeldLock = {
  name: "a",
  shard: 0,
  client: "c",
  fence: 10,
  isMute: false,
  places: 0,
  wasAway: false,
  askedMs: 0,
  heldMs: 10,
  endMs: 20,
  take: 1,
  capacity: 1,
};
const later: HeldLock = { ...base, fence: 20, askedMs: 12, heldMs: 30, endMs: 40 };

/** What is wrong, without the facts. */
function judged(held: readonly HeldLock[]): readonly string[] {
  const ledger = new LockLedger();
  ledger.held.push(...held);
  return ledger.judge(new Map()).map((violation) => violation.slice(0, violation.indexOf(":")));
}

/** What a waiter's ticket says of its arrival. */
const arrivedAt = (revision: number) => `${revision.toString(36)}.zz`;

describe("the judge of what clients of locks were told", () => {
  test("LK1 two holders at one time are seen; one after the other, or two permits of two, are none", () => {
    expect(judged([base, later])).toEqual([]);
    expect(judged([base, { ...later, heldMs: 15 }])).toEqual(["double grant"]);
    expect(judged([base, { ...later, heldMs: 15 }].map((one) => ({ ...one, capacity: 2 })))).toEqual([]);
    expect(judged([base, { ...later, heldMs: 15, name: "b" }])).toEqual([]);
  });

  test("LK2 a fence below one that was told before is seen, of another name of the shard, too", () => {
    const low = { ...later, name: "b", fence: 9 };
    expect(judged([base, low])).toEqual(["fence"]);
    expect(judged([base, { ...low, shard: 1 }])).toEqual([]);
    expect(judged([base, { ...low, askedMs: 5 }]), "it was under way at the same time").toEqual([]);
  });

  test("LK8 who is passed over is seen, unless it was away", () => {
    const early = { ...later, ticket: arrivedAt(5), places: 1, askedMs: 0 };
    expect(judged([base, early])).toEqual(["order"]);
    expect(judged([base, { ...early, wasAway: true }])).toEqual([]);
    expect(judged([{ ...base, ticket: arrivedAt(4), places: 1 }, early])).toEqual([]);
    expect(judged([{ ...later, ticket: arrivedAt(12), places: 2 }])).toEqual(["place lost"]);
  });

  test("LK14 an increment that was lost, or done under a state that another had changed, is seen", () => {
    const write = { name: "a", fence: 10, value: 1, version: 11 };
    const next = { name: "a", fence: 20, value: 2, version: 21 };
    const counted = (writes: readonly (typeof write)[], last: number, doubts = 0): readonly string[] => {
      const ledger = new LockLedger();
      ledger.writes.push(...writes);
      for (let doubt = 0; doubt < doubts; doubt++) ledger.doubt("a");
      return ledger.judge(new Map([["a", last]]));
    };
    expect(counted([write, next], 2)).toEqual([]);
    expect(counted([write, next], 3)).toHaveLength(1);
    expect(counted([write, next], 3, 1)).toEqual([]);
    expect(counted([write, { ...next, value: 1 }], 1)).toHaveLength(2);
    expect(
      counted([write, { ...next, version: 15 }], 2),
      "written under a fence that was still to come",
    ).toHaveLength(1);
  });
});

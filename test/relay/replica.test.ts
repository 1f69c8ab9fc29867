import { describe, expect, test } from "vitest";
import type { RelayBatch, RelayEntry } from "../../src/protocol/relay.ts";
import { pageOf, Replica } from "../../src/relay/replica.ts";

const entry = (revision: number, seq = 0): RelayEntry => ({
  revision,
  seq,
  kind: "set",
  key: `k${revision}`,
  version: revision,
  contentType: "text/plain",
  payload: { bytes: new Uint8Array(10), contentType: "text/plain" },
});

const batch = (epoch: string, after: number, to: number, ...revisions: number[]): RelayBatch => ({
  epoch,
  after,
  to,
  entries: revisions.map((revision) => entry(revision)),
  floor: 0,
  shards: 1,
});

const revisions = (replica: Replica, after: number, upTo = 1_000, limit = 100) =>
  replica.page(after, upTo, limit).heads.map(({ revision }) => revision);

describe("the part of a log that a relay has", () => {
  test("WA2 what comes again is left out, what overlaps is taken from where it is new", () => {
    const replica = new Replica();
    expect(replica.apply(batch("e", 3, 5, 4, 5))).toBe(true);
    expect(replica.floor).toBe(3);
    expect(replica.apply(batch("e", 3, 5, 4, 5))).toBe(false);
    expect(replica.apply(batch("e", 4, 8, 5, 6, 8))).toBe(true);
    expect(revisions(replica, 3)).toEqual([4, 5, 6, 8]);
    expect(replica.position).toEqual({ epoch: "e", revision: 8 });
  });

  test("WA2 what begins beyond the end, or in another epoch, is a new beginning: nothing before it seems to be here", () => {
    const replica = new Replica();
    replica.apply(batch("e", 0, 2, 1, 2));
    replica.apply(batch("e", 5, 6, 6));
    expect([replica.floor, revisions(replica, 5)]).toEqual([5, [6]]);
    replica.apply(batch("f", 1, 2, 2));
    expect([replica.floor, revisions(replica, 1)]).toEqual([1, [2]]);
    expect(replica.position).toEqual({ epoch: "f", revision: 2 });
  });

  test("an answer that was asked for in an epoch that has gone brings nothing", () => {
    const replica = new Replica();
    replica.apply(batch("f", 0, 2, 1, 2));
    expect(replica.apply(batch("e", 2, 9, 9), "e")).toBe(false);
    expect(replica.apply(batch("f", 2, 3, 3), "e")).toBe(true);
  });

  test("WA7 its oldest entries go when there are too many or too large ones, revisions as a whole", () => {
    const replica = new Replica({ entries: 8, bytes: 1_000 });
    replica.apply({ ...batch("e", 0, 6), entries: [1, 2, 2, 2, 3, 4, 5, 6].map((at, i) => entry(at, i)) });
    expect(replica.floor).toBe(0);
    replica.apply(batch("e", 6, 7, 7));
    expect(replica.floor).toBe(2);
    expect(revisions(replica, 2)).toEqual([3, 4, 5, 6, 7]);
    const small = new Replica({ entries: 100, bytes: 50 });
    small.apply(batch("e", 0, 6, 1, 2, 3, 4, 5, 6));
    expect(revisions(small, small.floor).length).toBeLessThan(5);
    expect(small.position?.revision).toBe(6);
  });

  test("a page ends between two revisions, and where it is asked to", () => {
    const entries = [1, 2, 2, 3, 5].map((at, i) => entry(at, i));
    expect(pageOf(entries, 0, 9, 2)).toMatchObject({ to: 1, heads: [{ revision: 1 }] });
    expect(pageOf(entries, 1, 9, 3)).toMatchObject({ to: 4 });
    expect(pageOf(entries, 1, 2, 9).heads).toHaveLength(2);
    expect(pageOf(entries, 5, 9, 9)).toEqual({ after: 5, to: 9, heads: [] });
  });
});

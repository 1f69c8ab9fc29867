import { expect, test } from "vitest";
import {
  concerns,
  type WatchFilter,
  type WatchKind,
  type WatchOperation,
  watchModes,
  watchOperations,
} from "../../../../src/protocol/watch.ts";
import { FilterIndex } from "../../../../src/shard/hub/watch/filter-index.ts";
import { FilterSet } from "../../../../src/shard/hub/watch/filter-set.ts";
import { type Seeded, seeded } from "../../../support/seeded.ts";

const kinds = [...watchOperations, "publishPrefix", "intent", "invalidate", "register", "leaseEnd"] as const;

function name(random: Seeded): string {
  return Array.from({ length: random.below(4) }, () => random.pick(["a", "b", "\u00e9", "\u{1f600}"])).join(
    "",
  );
}

function filter(random: Seeded): WatchFilter {
  const target = random.below(2) === 0 ? { key: `k${name(random)}` } : { prefix: name(random) };
  const ops: WatchOperation[] = watchOperations.filter(() => random.below(2) === 0);
  return { target, mode: random.pick(watchModes), ...(ops.length === 0 ? {} : { ops }) };
}

test("WA1 X-21 the index finds exactly the filters that an entry concerns", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = seeded(seed);
    const isHome = random.below(2) === 0;
    const filters = Array.from({ length: random.below(12) }, () => filter(random));
    const index = new FilterIndex(filters, isHome);
    for (let at = 0; at < 20; at++) {
      const kind = random.pick(kinds);
      const key = random.below(2) === 0 ? `k${name(random)}` : name(random);
      const isPrefix = kind === "publishPrefix";
      const operation = isPrefix ? "publish" : kind;
      const wanted = filters.flatMap(({ target, ops = watchOperations }, place) =>
        ops.includes(operation as WatchOperation) &&
        concerns(target, key, isPrefix) &&
        (!isPrefix || isHome || "key" in target)
          ? [place]
          : [],
      );
      const found = [...index.wanting({ kind: kind as WatchKind, key })].sort((a, b) => a - b);
      expect(found, `seed ${seed}, ${kind} ${key}`).toEqual(wanted);
    }
  }
});

test("sets are equal where they want the same, in whatever order, and only there", () => {
  const all: WatchFilter = { target: { prefix: "" }, mode: "all" };
  const key: WatchFilter = { target: { key: "" }, mode: "all" };
  const set = (...filters: WatchFilter[]) => new FilterSet(filters, true).key;
  expect(set(all, key)).toBe(set(key, all));
  expect(set({ ...all, ops: ["set", "delete"] })).toBe(set({ ...all, ops: ["delete", "set"] }));
  const different = [
    set(all),
    set(key),
    set(all, key),
    set({ ...all, mode: "keys" }),
    set({ ...all, ops: ["set"] }),
    set({ target: { prefix: '",' }, mode: "all" }),
  ];
  expect(new Set(different).size).toBe(different.length);
});

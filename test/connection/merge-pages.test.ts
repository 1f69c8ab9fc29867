import { describe, expect, it } from "vitest";
import { mergePages, type ShardPage } from "../../src/connection/merge-pages.ts";
import { compareKeys } from "../../src/protocol/key.ts";
import { compareBytes, utf8 } from "../../src/runtime/bytes.ts";
import { seeded } from "../support/seeded.ts";

const item = (key: string) => ({ key, version: 1, modifiedAtMs: 0, sizeBytes: 0, contentType: "x" });
const alphabet = ["a", "b", "é", "\u0000", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"];

describe("merging pages", () => {
  it("orders keys as their bytes", () => {
    const random = seeded(11);
    for (let i = 0; i < 3_000; i++) {
      const [a, b] = [0, 1].map(() =>
        Array.from({ length: random.below(4) }, () => random.pick(alphabet)).join(""),
      );
      if (a === undefined || b === undefined) continue;
      const expected = Math.sign(compareBytes(utf8(a), utf8(b)));
      expect(Math.sign(compareKeys(a, b)), JSON.stringify([a, b])).toBe(expected);
    }
  });

  it("pages put together are all keys of all shards, in order and once, however short the shards' pages are", () => {
    for (let run = 0; run < 200; run++) {
      const seed = 500 + run;
      const random = seeded(seed);
      const shards: string[][] = Array.from({ length: 1 + random.below(5) }, () => []);
      const all = new Set<string>();
      for (let i = random.below(40); i > 0; i--) {
        all.add(Array.from({ length: 1 + random.below(3) }, () => random.pick(alphabet)).join(""));
      }
      for (const key of all) random.pick(shards).push(key);
      for (const keys of shards) keys.sort(compareKeys);
      const limit = 1 + random.below(6);
      const seen: string[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < 500; pages++) {
        const from = after;
        const answers: ShardPage[] = shards.map((keys) => {
          const rest = keys.filter((key) => from === undefined || compareKeys(key, from) > 0);
          // A shard may end its page early, but not before its first key.
          const items = rest.slice(0, 1 + random.below(limit)).map(item);
          return { items, more: items.length < rest.length };
        });
        const page = mergePages(answers, limit);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items.map(({ key }) => key));
        if (!page.more) break;
        after = page.items.at(-1)?.key;
      }
      expect(seen, `seed ${seed}`).toEqual([...all].sort(compareKeys));
    }
  });
});

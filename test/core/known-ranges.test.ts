import { describe, expect, test } from "vitest";
import { KnownRanges } from "../../src/core/known-ranges.ts";
import { fraction } from "../../src/runtime/random.ts";
import { coreBed } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";

describe("a node's own changes in the log", () => {
  test("SB3 an import of 20,000 keys is not asked for again", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("a", 1);
    for (let i = 0; i < 20; i++) {
      const page = Array.from({ length: 1_000 }, (_, n) => [`k${i}:${n}`, n] as const);
      await warp.setMany(page);
    }
    await bed.clock.advance(6_000);
    adapter.hold("changes");
    const read = warp.getEntry("a");
    for (let i = 0; i < 30; i++) await Promise.resolve();
    const held = adapter.take("changes");
    expect(held.args[0]).toMatchObject({ revision: 20_001 });
    await held.answer();
    expect(await read).toMatchObject({ value: 1, cache: "hit" });
    expect(adapter.count("changes")).toBe(1);
  });

  test("SB3 own writes with nobody else's between them prove what L1 holds", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("a", 1);
    await bed.clock.advance(4_000);
    await warp.set("b", 1);
    await bed.clock.advance(4_000);
    expect(warp.peek("a")).toBe(1);
    await bed.clock.advance(60_000);
    expect(adapter.count("changes")).toBe(1);
  });

  test("SB3 another's change between own ones is asked for, and not passed over", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    const other = bed.node();
    await warp.set("a", 1);
    await other.warp.set("a", 2);
    await bed.clock.advance(4_000);
    await warp.set("b", 1);
    await bed.clock.advance(1_001);
    expect(warp.peek("a")).toBeUndefined();
    expect(await warp.get("a")).toBe(2);
    expect(adapter.count("changes")).toBe(1);
  });

  test("SB3 answers out of order close the gap when the last of them is there", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("a", 1);
    adapter.hold("batch");
    const writes = [1, 2, 3].map((n) => warp.set(`w${n}`, n));
    for (let i = 0; i < 30; i++) await Promise.resolve();
    const calls = [adapter.take("batch"), adapter.take("batch"), adapter.take("batch")];
    for (const call of calls) await call.act();
    for (const call of calls.reverse()) await call.answer();
    await Promise.all(writes);
    await bed.clock.advance(6_000);
    adapter.hold("changes");
    const read = warp.get("a");
    for (let i = 0; i < 30; i++) await Promise.resolve();
    const held = adapter.take("changes");
    expect(held.args[0]).toMatchObject({ revision: 4 });
    await held.answer();
    expect(await read).toBe(1);
  });

  test("SB3 whatever the order, no revision of another is passed over (seeds 1 to 200)", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seeded(seed);
      const draw = (below: number): number => Math.floor(fraction(random) * below);
      const revisions = Array.from({ length: 60 }, (_, i) => i + 1).filter(() => draw(20) > 0);
      const own = new Set(revisions);
      const given = new Set<number>();
      const ranges = new KnownRanges();
      let applied = 0;
      while (revisions.length > 0) {
        const page = Array.from(
          { length: 1 + draw(5) },
          () => revisions.splice(draw(revisions.length), 1)[0],
        );
        const known = page.filter((revision) => revision !== undefined);
        for (const revision of known) given.add(revision);
        applied = ranges.advance(applied, known);
        let expected = 0;
        while (given.has(expected + 1)) expected++;
        expect(applied, `seed ${seed}`).toBe(expected);
      }
      expect(own.has(applied + 1), `seed ${seed}`).toBe(false);
    }
  });
});

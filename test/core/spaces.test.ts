import { describe, expect, it } from "vitest";
import type { Warp } from "../../src/core/warp.ts";
import { Spaces } from "../../src/presets/spaces.ts";
import { standalone } from "../../src/presets/standalone.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

function bed(options: { readonly maxSpaces?: number; readonly maxBytes?: number } = {}) {
  const clock = virtualClock();
  const made: string[] = [];
  const background = { run: (work: Promise<unknown>) => void work.catch(() => undefined) };
  const host = { clock, timers: clock, random: seeded(1), background };
  const spaces = new Spaces({
    make: (space) => {
      made.push(space);
      return standalone({ host });
    },
    maxSpaces: options.maxSpaces ?? 3,
    maxBytes: options.maxBytes ?? 100_000,
  });
  return { spaces, made };
}

const bytesOf = (warp: Warp): number => warp.stats().cache.bytes;

/** Looks often enough that the budget is checked at least once. */
function look(spaces: Spaces, space: string): void {
  for (let at = 0; at < 64; at++) spaces.warp(space);
}

describe("Spaces", () => {
  it("tells of each use, of the same one as of another", () => {
    const clock = virtualClock();
    const background = { run: (work: Promise<unknown>) => void work.catch(() => undefined) };
    const used: Warp[] = [];
    const spaces = new Spaces({
      make: () => standalone({ host: { clock, timers: clock, random: seeded(1), background } }),
      used: (warp) => used.push(warp),
      maxSpaces: 3,
      maxBytes: 100_000,
    });
    const [a, again, b] = [spaces.warp("a"), spaces.warp("a"), spaces.warp("b")];
    expect(used).toEqual([a, again, b]);
    expect(a).toBe(again);
  });

  it("gives the same Warp for a space, and another for another, whose keys are its own", async () => {
    const { spaces, made } = bed();
    const a = spaces.warp("a");
    const b = spaces.warp("b");
    expect(spaces.warp("a")).toBe(a);
    expect(spaces.warp("b")).toBe(b);
    await a.set("k", "of a");
    expect(b.peek("k")).toBeUndefined();
    expect(made).toEqual(["a", "b"]);
  });

  it("one space alone is never emptied, however often it is asked for", async () => {
    const { spaces, made } = bed({ maxBytes: 1_000 });
    const a = spaces.warp("a");
    await a.set("k", "x".repeat(5_000));
    for (let at = 0; at < 1_000; at++) expect(spaces.warp("a")).toBe(a);
    expect(a.peek("k")).toBeDefined();
    expect(made).toEqual(["a"]);
    expect(spaces.size).toBe(1);
  });

  it("SE3 forgets the space that was used least recently, not the one that was made first, and closes none", async () => {
    const { spaces, made } = bed({ maxSpaces: 3 });
    const [a, b] = [spaces.warp("a"), spaces.warp("b")];
    spaces.warp("c");
    await b.set("k", 1);
    // Asked for again and again it stays the most recent one, by the quick way, too.
    for (let at = 0; at < 10; at++) spaces.warp("a");
    spaces.warp("d");
    expect(spaces.size).toBe(3);
    expect(spaces.warp("a")).toBe(a);
    expect(made).toEqual(["a", "b", "c", "d"]);
    // Who holds it still may use it.
    expect(await b.get("k")).toBe(1);
    expect(spaces.warp("b")).not.toBe(b);
    expect(spaces.size).toBe(3);
    for (let at = 0; at < 100; at++) spaces.warp(`space-${at}`);
    expect(spaces.size).toBe(3);
  });

  it("SE3 when all together exceed the budget, those used least recently are emptied, and no more than needed", async () => {
    const { spaces } = bed({ maxBytes: 25_000 });
    const [a, b, c] = [spaces.warp("a"), spaces.warp("b"), spaces.warp("c")];
    for (const warp of [a, b, c]) await warp.set("k", "x".repeat(10_000));
    spaces.warp("a");
    look(spaces, "c");
    // In order of use: b, a, c. Without b the others fit.
    expect([bytesOf(a) > 0, bytesOf(b) > 0, bytesOf(c) > 0]).toEqual([true, false, true]);
    expect(spaces.size).toBe(3);
    expect(await b.get("k")).toBe("x".repeat(10_000));
  });

  it("a space that can't be made takes nobody's place, and does not stand in the way of the next try", () => {
    let fails = false;
    const { spaces: working } = bed();
    const spaces = new Spaces({
      make: (space) => {
        if (fails) throw new Error("no");
        return working.warp(space);
      },
      maxSpaces: 1,
      maxBytes: 1_000,
    });
    const a = spaces.warp("a");
    fails = true;
    expect(() => spaces.warp("b")).toThrow("no");
    expect(spaces.warp("a")).toBe(a);
    fails = false;
    expect(spaces.warp("b")).not.toBe(a);
    expect(spaces.size).toBe(1);
  });
});

import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { coreBed, statics } from "../support/core-bed.ts";

const registrations = statics({
  "*": { mode: "eventual", loadSharing: "space" },
  "own:*": { mode: "eventual" },
});

/** A source of a value that takes `ms`, and how often it ran. */
function slowSource(bed: ReturnType<typeof coreBed>, ms: number) {
  const source = {
    runs: 0,
    load: (value: string) => () => {
      source.runs++;
      return new Promise<string>((resolve) => void bed.clock.after(ms, () => resolve(value)));
    },
  };
  return source;
}

describe("one load for all nodes of a space", () => {
  it("CO2 four nodes that miss a key at once cause one load in all", async () => {
    const bed = coreBed();
    const nodes = Array.from({ length: 4 }, () => bed.node({ registrations }));
    await nodes[0]?.warp.set("warm", 1);
    const source = slowSource(bed, 500);
    const reads = nodes.flatMap(({ warp }, n) =>
      [0, 1, 2].map(() => warp.getOrSet("k", source.load(`by ${n}`))),
    );
    await bed.clock.advance(1_000);
    expect(new Set(await Promise.all(reads))).toEqual(new Set(["by 0"]));
    expect(source.runs).toBe(1);
    const own = slowSource(bed, 10);
    const each = nodes.map(({ warp }) => warp.getOrSet("own:k", own.load("x")));
    await bed.clock.advance(10);
    await Promise.all(each);
    expect(own.runs).toBe(4);
    expect(bed.leaks).toEqual([]);
  });

  it("CO2 a holder that dies: after its claim's time another one loads", async () => {
    const bed = coreBed();
    const [dead, alive] = [bed.node({ registrations }), bed.node({ registrations })];
    await dead.warp.set("warm", 1);
    void dead.warp
      .getOrSet("k", () => new Promise<string>(() => undefined), { timeoutMs: 120_000 })
      .catch(() => undefined);
    await bed.clock.settle();
    let got: string | undefined;
    void alive.warp
      .getOrSet("k", () => "alive", { timeoutMs: 60_000 })
      .then((value) => {
        got = value;
      });
    await bed.clock.advance(9_000);
    expect(got).toBeUndefined();
    await bed.clock.advance(1_500);
    expect(got).toBe("alive");
  });

  it("CO2 a source that fails or gives nothing makes way at once for the next node's", async () => {
    const bed = coreBed();
    const [one, two] = [bed.node({ registrations }), bed.node({ registrations })];
    await one.warp.set("warm", 1);
    const failing = one.warp.getOrSet("k", async () => {
      await new Promise<void>((resolve) => void bed.clock.after(100, resolve));
      throw new Error("boom");
    });
    const failed = expect(failing).rejects.toThrow("boom");
    await bed.clock.settle();
    const second = two.warp.getOrSet("k", () => "two");
    await bed.clock.advance(150);
    await failed;
    expect(await second).toBe("two");
  });

  it("CO2 where claims fail, are not there, or another takes too long, a node loads by itself", async () => {
    const bed = coreBed();
    const { warp, adapter, errors } = bed.node({ registrations });
    await warp.set("warm", 1);
    adapter.failing("claimLoad", () => new WarpError("unavailable", "down"));
    expect(await warp.getOrSet("a", () => 1)).toBe(1);
    expect(errors).toHaveLength(1);
    const none = bed.node({ registrations, supports: { claims: false } });
    expect(await none.warp.getOrSet("b", () => 2)).toBe(2);
    expect(none.adapter.count("claimLoad")).toBe(0);
    adapter.failing("claimLoad", undefined);
    adapter.hold("claimLoad");
    const late = warp.getOrSet("c", () => 3, { timeoutMs: 60_000 });
    await bed.clock.settle();
    adapter.release("claimLoad");
    adapter.take("claimLoad").fail(new WarpError("deadline_exceeded", "no answer"));
    expect(await late).toBe(3);
    expect(bed.leaks).toEqual([]);
  });
});

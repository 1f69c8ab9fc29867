import { describe, expect, it } from "vitest";
import { testWarp } from "../../src/testing.ts";

describe("testWarp", () => {
  it("CO4 gives a node that reads what it wrote, and ends with the scope", async () => {
    await using bed = testWarp();
    await bed.warp.set("a", { n: 1 });
    expect(await bed.warp.get("a")).toEqual({ n: 1 });
    expect(bed.errors).toEqual([]);
    await bed.close();
    await expect(bed.warp.get("a")).rejects.toMatchObject({ code: "warp_closed" });
  });

  it("SB3 several nodes share what is stored; an eventual copy is fresh again once the clock has passed the bound", async () => {
    await using bed = testWarp({ nodes: 3 });
    const [a, b, c] = bed.nodes;
    await a?.set("k", 1);
    expect(await b?.get("k")).toBe(1);
    await c?.set("k", 2);
    expect(await b?.get("k")).toBe(1);
    await bed.clock.advance(5_001);
    expect(await b?.get("k")).toBe(2);
  });

  it("SB1 with pushes nodes hear of each other's changes at once, and hold strong keys", async () => {
    const registrations = [{ pattern: "s:*", options: { mode: "strong" } }] as const;
    await using bed = testWarp({ nodes: 2, pushes: true, registrations });
    const [a, b] = bed.nodes;
    for (const key of ["k", "s:k"]) {
      await a?.set(key, 1);
      expect(await b?.get(key)).toBe(1);
      expect(b?.peek(key)).toBe(1);
      await a?.set(key, 2);
      expect(b?.peek(key)).toBeUndefined();
      expect(await b?.get(key)).toBe(2);
    }
    expect(bed.errors).toEqual([]);
  });

  it("a value ends when the clock says so, not before", async () => {
    await using bed = testWarp({ startMs: 1_000 });
    expect(bed.clock.now()).toBe(1_000);
    await bed.warp.set("a", 1, { expiresInMs: 60_000 });
    await bed.clock.advance(59_999);
    expect(await bed.warp.get("a")).toBe(1);
    await bed.clock.advance(1);
    expect(await bed.warp.get("a")).toBeUndefined();
  });

  it("CO2 waits and time-outs follow the clock: a loader that hangs is given up without real time", async () => {
    await using bed = testWarp();
    const waiting = bed.warp.getOrSet("a", () => new Promise<number>(() => undefined), { timeoutMs: 2_000 });
    const ended = expect(waiting).rejects.toMatchObject({ code: "deadline_exceeded" });
    await bed.clock.advance(2_000);
    await ended;
  });

  it("the same seed gives the same ids", async () => {
    const ids = async (seed: number) => {
      await using bed = testWarp({ seed });
      return (await bed.warp.set("a", 1)).opId;
    };
    expect(await ids(7)).toBe(await ids(7));
    expect(await ids(7)).not.toBe(await ids(8));
  });

  it("OU4 refuses what is out of range, naming it", async () => {
    for (const nodes of [0, 65, 1.5, Number.NaN]) {
      expect(() => testWarp({ nodes })).toThrow(/1 to 64/);
    }
    await using bed = testWarp({ strict: true });
    await expect(bed.clock.advance(-1)).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(bed.warp.set("a", 1)).rejects.toMatchObject({ code: "unregistered" });
  });
});

import { describe, expect, it } from "vitest";
import { type Claiming, LoadClaims } from "../../src/protocol/load-claims.ts";
import { ManualTime } from "../support/manual-time.ts";

const asking = (part: Partial<Claiming> = {}): Claiming => ({
  key: "a",
  holder: "one",
  ttlMs: 1_000,
  waitMs: 0,
  ...part,
});

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe("claims on loads", () => {
  it("CO2 are bounded: beyond the bound they are granted and not kept, and those whose time is over go first", async () => {
    const time = new ManualTime();
    const claims = new LoadClaims(time, time);
    for (let i = 0; i < 10_000; i++) await claims.claim(asking({ key: `k${i}` }));
    expect(await claims.claim(asking({ key: "more" }))).toBe("granted");
    expect(await claims.claim(asking({ key: "more", holder: "two" }))).toBe("granted");
    expect(await claims.claim(asking({ key: "k9999", holder: "two" }))).toBe("busy");
    time.advance(1_000);
    expect(await claims.claim(asking({ key: "more" }))).toBe("granted");
    expect(await claims.claim(asking({ key: "more", holder: "two" }))).toBe("busy");
  });

  it("CO2 a wait leaves no timer behind, however it ends", async () => {
    const time = new ManualTime();
    const claims = new LoadClaims(time, time);
    await claims.claim(asking());
    const waits = [100, 500, 5_000].map((waitMs) => claims.claim(asking({ holder: "two", waitMs })));
    await settle();
    expect(time.pending).toBe(3);
    time.advance(100);
    expect(await waits[0]).toBe("busy");
    claims.end("a");
    expect(await Promise.all(waits)).toEqual(["busy", "changed", "changed"]);
    await settle();
    expect(time.pending).toBe(0);
  });

  it("CO2 a renewed claim keeps its waiters: they hear of its end, or that it is still busy", async () => {
    const time = new ManualTime();
    const claims = new LoadClaims(time, time);
    await claims.claim(asking());
    const [short, long] = [1_500, 900].map((waitMs) => claims.claim(asking({ holder: "two", waitMs })));
    await settle();
    time.advance(500);
    await claims.claim(asking());
    time.advance(400);
    expect(await long).toBe("busy");
    time.advance(100);
    expect(await short).toBe("busy");
    const other = claims.claim(asking({ holder: "two", waitMs: 400 }));
    await settle();
    await claims.claim(asking({ release: true }));
    expect(await other).toBe("changed");
  });

  it("CO2 all end together when their storage does", async () => {
    const time = new ManualTime();
    const claims = new LoadClaims(time, time);
    await claims.claim(asking());
    const wait = claims.claim(asking({ holder: "two", waitMs: 500 }));
    await settle();
    claims.clear();
    expect(await wait).toBe("changed");
    expect(await claims.claim(asking({ holder: "two" }))).toBe("granted");
  });
});

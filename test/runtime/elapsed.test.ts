import { describe, expect, it } from "vitest";
import { elapsedClock } from "../../src/runtime/elapsed.ts";

/** An elapsed clock over two that the test sets. */
function made() {
  const at = { wall: 1_000_000, monotonic: 50 };
  const clock = elapsedClock({ now: () => at.wall }, { now: () => at.monotonic });
  return {
    at,
    clock,
    pass(ms: number): void {
      at.wall += ms;
      at.monotonic += ms;
    },
  };
}

describe("A1 elapsed time", () => {
  it("begins at the wall clock and runs with both", () => {
    const { clock, pass } = made();
    expect(clock.now()).toBe(1_000_000);
    pass(1_500);
    expect(clock.now()).toBe(1_001_500);
  });

  it("goes on while the wall clock is set back, at once and later", () => {
    const { at, clock, pass } = made();
    at.wall -= 3_600_000;
    pass(1_000);
    expect(clock.now()).toBe(1_001_000);
    pass(1_000);
    expect(clock.now()).toBe(1_002_000);
  });

  it("goes on while the monotonic clock sleeps, and after it woke", () => {
    const { at, clock, pass } = made();
    at.wall += 60_000;
    expect(clock.now()).toBe(1_060_000);
    pass(10);
    expect(clock.now()).toBe(1_060_010);
    // Set right again: what had passed has passed, and time goes on.
    at.wall -= 60_000;
    pass(500);
    expect(clock.now()).toBe(1_060_510);
  });

  it("never goes back, and gains no more than the grain of the clocks, whatever their jitter", () => {
    const { at, clock, pass } = made();
    let last = clock.now();
    for (let i = 0; i < 10_000; i++) {
      pass(0.7);
      at.wall = Math.floor(at.wall * 10) / 10;
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(last - 1_000_000).toBeGreaterThanOrEqual(at.monotonic - 50 - 1e-6);
    expect(last - 1_000_000).toBeLessThan(at.monotonic - 50 + 2);
  });
});

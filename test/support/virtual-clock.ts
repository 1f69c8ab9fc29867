import type { Clock, Timers } from "../../src/runtime/clock.ts";

/** Time that stands still until a test moves it. */
export interface VirtualClock extends Clock, Timers {
  /** Lets all that can run without time passing run to its end. */
  settle(): Promise<void>;
  /** Moves time on, timer by timer, letting everything run between. */
  advance(ms: number): Promise<void>;
  /** Forgets all timers, as a host does that ends whatever waits for them. */
  forget(): void;
  /** Timers that are waiting. */
  readonly timers: number;
}

/** Starts at `startMs`, by default a moment in 2026. */
export function virtualClock(startMs = 1_790_000_000_000): VirtualClock {
  let nowMs = startMs;
  let order = 0;
  const waiting = new Set<{ readonly atMs: number; readonly order: number; readonly run: () => void }>();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 60; turn++) await Promise.resolve();
  };
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, order: order++, run };
      waiting.add(timer);
      return () => void waiting.delete(timer);
    },
    settle,
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        const due = [...waiting]
          .filter((timer) => timer.atMs <= untilMs)
          .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
        if (due === undefined) break;
        waiting.delete(due);
        nowMs = Math.max(nowMs, due.atMs);
        due.run();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
    forget: () => waiting.clear(),
    get timers() {
      return waiting.size;
    },
  };
}

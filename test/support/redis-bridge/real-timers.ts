import type { Timers } from "../../../src/runtime/clock.ts";

declare function setTimeout(run: () => void, delayMs: number): number;
declare function clearTimeout(handle: number): void;

/** Time as it passes, for what waits for a real server. */
export const realTimers: Timers = {
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return () => clearTimeout(handle);
  },
};

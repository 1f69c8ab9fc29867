import type { Clock, Timers } from "../../runtime/clock.ts";

/** Settles once `elapsed` has come to `untilMs`. Timers only wake: the clock decides. */
export async function reach(elapsed: Clock, timers: Timers, untilMs: number): Promise<void> {
  for (;;) {
    const leftMs = untilMs - elapsed.now();
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => void timers.after(leftMs, resolve));
  }
}

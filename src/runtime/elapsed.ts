import type { Clock } from "./clock.ts";

/** How far the two clocks may differ before the slower one is taken along, in ms: their own grain. */
const grainMs = 2;

/**
 * Time as it passes, the larger of what two clocks say: the wall clock may be set back, and a monotonic one stands still on some hosts while they sleep.
 * Never goes back. A wall clock that is set forward counts as time that has passed, which ends leases early and never late.
 */
export function elapsedClock(wall: Clock, monotonic: Clock): Clock {
  const startMs = wall.now();
  let wallLeadMs = 0;
  let monotonicLeadMs = startMs - monotonic.now();
  return {
    now() {
      const byWallMs = wall.now() + wallLeadMs;
      const byMonotonicMs = monotonic.now() + monotonicLeadMs;
      const nowMs = Math.max(byWallMs, byMonotonicMs);
      // Else the one that was left behind would hide the next stretch of time.
      if (nowMs - byWallMs > grainMs) wallLeadMs += nowMs - byWallMs;
      if (nowMs - byMonotonicMs > grainMs) monotonicLeadMs += nowMs - byMonotonicMs;
      return nowMs;
    },
  };
}

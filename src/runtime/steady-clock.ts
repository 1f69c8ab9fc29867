import type { Clock } from "./clock.ts";

/** `clock`, kept from running backwards: when it is set back, time stands still until it has caught up. */
export function steadyClock(clock: Clock): Clock {
  let latestMs = Number.NEGATIVE_INFINITY;
  return {
    now() {
      latestMs = Math.max(latestMs, clock.now());
      return latestMs;
    },
  };
}

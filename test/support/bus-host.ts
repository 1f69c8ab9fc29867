import type { BusHost } from "../../src/syncbus/bus-end.ts";
import { seeded } from "./seeded.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A host in virtual time for buses, and what went to its log. */
export function busHost(): BusHost & { readonly clock: VirtualClock; readonly leaks: unknown[] } {
  const clock = virtualClock();
  const leaks: unknown[] = [];
  const background = {
    run: (work: Promise<unknown>) => void work.catch((error: unknown) => leaks.push(error)),
  };
  return { clock, timers: clock, random: seeded(1), background, leaks };
}

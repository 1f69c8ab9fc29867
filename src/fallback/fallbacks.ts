import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Fallback } from "./fallback.ts";

/** What a fallback takes from the host that it runs on. */
export interface FallbackHost {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** The fallbacks of a deployment, by the names under which spaces opt in: each gives the streams of a space. */
export type Fallbacks = Readonly<
  Record<string, (space: string, host: FallbackHost) => Fallback | Promise<Fallback>>
>;

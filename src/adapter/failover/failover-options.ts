import type { Fallbacks } from "../../fallback/fallbacks.ts";
import type { StoredRegistration } from "../../protocol/registration.ts";
import type { Background } from "../../runtime/background.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";

/** What a node needs to go around shards that can't be reached. */
export interface FailoverOptions {
  /** The deployment's: each is opened when it is first needed. */
  readonly fallbacks: Fallbacks;
  readonly space: string;
  /** Names the node in what it proposes. */
  readonly node: string;
  /** The deployment's static registrations: they come before those of the space. */
  readonly statics?: readonly StoredRegistration[];
  readonly clock: Clock;
  /** Measures elapsed time. Default `clock`. */
  readonly elapsed?: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly background: Background;
  /** Failures of a shard's calls, one after the other, after which it counts as not to be reached: default 3. */
  readonly threshold?: number;
  /** How long nothing is asked of it then, before one call tries again, in ms: default 1,000. */
  readonly openMs?: number;
  /** An answer that takes longer is such a failure, in ms: default 2,000. */
  readonly patienceMs?: number;
}

import type { LockCommand, LockEnd, LockVerdict } from "../protocol/lock.ts";
import type { Background } from "../runtime/background.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";

/** The end of a grant, told unasked. */
export interface ToldEnd {
  readonly name: string;
  readonly fence: number;
  readonly reason: LockEnd;
}

/** What handles ask of the locks of a space: a driver, or a client over HTTP. See `Locks` for what each promises. */
export interface LockCalls {
  run(commands: readonly LockCommand[], options?: CallLimits): Promise<readonly LockVerdict[]>;
  wait(
    place: {
      readonly name: string;
      readonly owner: string;
      readonly ticket: string;
      readonly waitMs: number;
    },
    options?: CallLimits,
  ): Promise<LockVerdict>;
  /** Absent: nothing is told, handles find out when they renew, or when their time is over. */
  onEnd?(listener: (ended: ToldEnd) => void): () => void;
}

/** What handles of every kind ask of their host. */
export interface TermHost {
  /** Measures elapsed time; never goes back (assumption A1 is about its rate). */
  readonly elapsed: Clock;
  readonly timers: Timers;
}

/** What handles of locks are made of. */
export interface HandleHost extends TermHost {
  readonly calls: LockCalls;
  readonly random: Random;
  /** Keeps alive what a caller does not wait for: cancelling, and releasing what was granted too late. */
  readonly background: Background;
  /** A new op id, as commands carry it. */
  readonly opId: () => string;
  /** Trouble that no caller is told: a renewal that failed and is tried again, a release that was not answered. */
  readonly onError: (error: unknown) => void;
}

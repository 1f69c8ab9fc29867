import { isWarpError } from "../errors.ts";
import type { ElectionEvent } from "../protocol/lock.ts";
import { formatCursor, parseCursor } from "../protocol/position.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Timers } from "../runtime/clock.ts";
import type { Codec } from "../runtime/codec.ts";
import { maxLockPollMs } from "../runtime/coordination-limits.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import type { Random } from "../runtime/random.ts";
import { isPassing } from "./handle-attempt.ts";
import { decodedValue } from "./leadership.ts";
import { hasGivenUp, pause, retryWaitMs } from "./patience.ts";

/** One step of an election as an observer gets it. */
export interface ElectionStep<T> extends Omit<ElectionEvent, "value"> {
  readonly value: T | undefined;
  /** To go on after this step later. */
  readonly cursor: string;
  /** Steps before this one were not kept any more: this is the present leader, or the first step after that time. */
  readonly gap: boolean;
}

/** Options of an observation. */
export interface ObserveOptions<T> {
  /** Go on after this; default: with the present leader. */
  readonly cursor?: string;
  /** Ends it: the iteration is over then, without an error. */
  readonly signal?: AbortSignal;
  /** Default `jsonCodec`. */
  readonly codec?: Codec<T>;
}

/** What an observation asks of its host. */
export interface ObserveHost {
  readonly observe: (
    name: string,
    options: CallLimits & { readonly cursor?: string; readonly waitMs: number },
  ) => Promise<{ readonly events: readonly ElectionEvent[]; readonly cursor: string; readonly gap: boolean }>;
  readonly timers: Timers;
  readonly random: Random;
}

/** The steps of an election, in order, for as long as it is iterated over; goes on by itself after troubles of the way. Throws what does not pass. */
export async function* observe<T>(
  host: ObserveHost,
  name: string,
  codec: Codec<T>,
  { cursor: from, signal }: Pick<ObserveOptions<T>, "cursor" | "signal">,
): AsyncGenerator<ElectionStep<T>, void, void> {
  let cursor = from;
  let gap = false;
  for (let failures = 0; !hasGivenUp(signal); ) {
    let page: Awaited<ReturnType<ObserveHost["observe"]>>;
    try {
      page = await host.observe(name, {
        waitMs: maxLockPollMs,
        timeoutMs: maxLockPollMs + defaultTimeoutMs,
        ...(cursor === undefined ? {} : { cursor }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (hasGivenUp(signal)) return;
      // A space comes into being with its first change.
      if (!isPassing(error) && !isWarpError(error, "space_not_found")) throw error;
      try {
        await pause(host.timers, retryWaitMs(failures++, host.random), signal);
      } catch {
        // The signal: the iteration is over.
        return;
      }
      continue;
    }
    failures = 0;
    const { epoch } = parseCursor(page.cursor);
    // Where nobody led, the first step after the gap tells of it.
    gap ||= page.gap;
    for (const { value, ...event } of page.events) {
      const isAfterGap = gap;
      gap = false;
      yield {
        ...event,
        value: decodedValue(value, codec),
        cursor: formatCursor({ epoch, revision: event.revision }),
        gap: isAfterGap,
      };
      if (hasGivenUp(signal)) return;
    }
    cursor = page.cursor;
  }
}

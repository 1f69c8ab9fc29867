import { type ErrorData, isWarpError } from "../../errors.ts";
import type { Timers } from "../../runtime/clock.ts";
import { keepAliveMs } from "../../runtime/limits.ts";
import type { Watch, WatchItem } from "../../watchbus/watchbus.ts";
import { errorData } from "../problem.ts";

/** What a stream has to say next. */
export type Told =
  | { readonly kind: "items"; readonly items: readonly WatchItem[] }
  /** Nothing for a while. */
  | { readonly kind: "idle" }
  /** The stream ends, and whoever reads it had better connect again. */
  | { readonly kind: "rotate" }
  /** The watch has ended for good. */
  | { readonly kind: "end"; readonly error: ErrorData };

/** What {@link tell} takes. */
export interface TellOptions {
  readonly timers: Timers;
  /** The stream's life, in ms. */
  readonly rotateMs: number;
  /** Takes what failed unexpectedly. */
  readonly report: (error: unknown) => void;
}

/** Waits for `next` or for so many ms: undefined. */
export async function within<T>(timers: Timers, waitMs: number, next: Promise<T>): Promise<T | undefined> {
  let cancel = (): void => {};
  const late = new Promise<undefined>((resolve) => {
    cancel = timers.after(waitMs, () => resolve(undefined));
  });
  try {
    return await Promise.race([next, late]);
  } finally {
    cancel();
  }
}

/**
 * What `watch` tells, until its end, as a stream to a caller says it. Nothing is taken from it before it is asked for, so that the shards of one who does not read wait. The
 * watch ends with the stream's time, also where nobody reads, and when the generator is left.
 */
export function tell(watch: Watch, options: TellOptions): AsyncGenerator<Told, void, void> {
  // From now on: a generator does nothing before it is first asked.
  return toldOf(
    watch,
    options,
    options.timers.after(options.rotateMs, () => watch.end()),
  );
}

async function* toldOf(
  watch: Watch,
  { timers, report }: TellOptions,
  stopRotation: () => void,
): AsyncGenerator<Told, void, void> {
  const items = watch[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<readonly WatchItem[]>> | undefined;
  try {
    for (;;) {
      next ??= items.next();
      const told = await within(timers, keepAliveMs, next);
      if (told === undefined) {
        yield { kind: "idle" };
        continue;
      }
      next = undefined;
      if (told.done === true) break;
      yield { kind: "items", items: told.value };
    }
    // Its time is over, or this host closes: there will be another one.
    yield { kind: "rotate" };
  } catch (error) {
    if (!isWarpError(error)) report(error);
    // Nothing was to be changed.
    yield { kind: "end", error: { ...errorData(error), outcome: "fail" } };
  } finally {
    stopRotation();
    watch.end();
  }
}

import { WarpError } from "../../errors.ts";
import type { AwayShard } from "./away-shard.ts";
import type { FailoverOptions } from "./failover-options.ts";
import { isUnreached } from "./is-unreached.ts";

/** How a call at a shard ended; `error`: it was not reached, or has not answered in time. */
export type Tried<T> = { readonly value: T; readonly error?: undefined } | { readonly error: WarpError };

/** Asks a shard. With `isImpatient` no longer than it should take, once it counts as not to be reached: what comes later is the shard's own affair. Throws what it answered. */
export async function tryShard<T>(
  away: AwayShard,
  isImpatient: boolean,
  {
    timers,
    background,
    patienceMs,
  }: Pick<FailoverOptions, "timers" | "background"> & { readonly patienceMs: number },
  send: () => Promise<T>,
): Promise<Tried<T>> {
  const direct = send().then(
    (value): Tried<T> => ({ value }),
    (error: unknown): Tried<T> => {
      if (!isUnreached(error)) throw error;
      return { error };
    },
  );
  if (!isImpatient) return await direct;
  let cancel = (): void => {};
  const late = new Promise<undefined>((resolve) => {
    cancel = timers.after(patienceMs, () => resolve(undefined), { awaited: true });
  });
  try {
    const first = await Promise.race([direct, late]);
    if (first !== undefined) return first;
  } finally {
    cancel();
  }
  away.failed();
  if (away.state === "closed") return await direct;
  background.run(direct.catch(() => undefined));
  const why = `the shard gives no answer within ${patienceMs} ms`;
  return { error: new WarpError("unavailable", why, { outcome: "unknown" }) };
}

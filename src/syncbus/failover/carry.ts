import { isWarpError, WarpError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PublishOptions } from "../syncbus.ts";
import { isBusTrouble } from "../trouble.ts";

type Send = (limits: PublishOptions) => Promise<void>;

/** Sends over a first way, for at most `firstMs`, and over a second one with what is left of the caller's time where that fails. */
export async function carry(
  clock: Clock,
  limits: PublishOptions,
  firstMs: number,
  first: Send,
  second: Send,
): Promise<void> {
  const { timeoutMs: mostMs = Number.POSITIVE_INFINITY } = limits;
  const startMs = clock.now();
  try {
    await first({ ...limits, timeoutMs: Math.min(firstMs, mostMs) });
  } catch (error) {
    if (!isBusTrouble(error)) throw error;
    const leftMs = mostMs - Math.max(0, clock.now() - startMs);
    if (leftMs < 1) throw error;
    const rest = mostMs === Number.POSITIVE_INFINITY ? {} : { timeoutMs: leftMs };
    try {
      await second({ ...limits, ...rest });
    } catch (other) {
      throw unknownIf(isWarpError(error) && error.outcome === "unknown", other);
    }
  }
}

/** The second's error; where the first may have carried it, its fate is not known. */
function unknownIf(isUnknown: boolean, error: unknown): unknown {
  if (!isUnknown || !isWarpError(error) || error.outcome === "unknown") return error;
  return new WarpError(error.code, error.message, { ...error.toData(), outcome: "unknown", cause: error });
}

import { WarpError } from "../../errors.ts";
import { maxTimeoutMs } from "../../runtime/limits.ts";
import type { BusHost } from "../bus-end.ts";
import type { SyncBus } from "../syncbus.ts";

/** What {@link failoverBus} takes. */
export interface FailoverBusOptions extends BusHost {
  /** Carries what is published while it works. Closed with the failover bus, as is the other. */
  readonly first: SyncBus;
  /** Carries it while the first does not. */
  readonly second: SyncBus;
  /** Publications that fail at the first one after the other before it is left alone: 1 to 1,000, default 5. */
  readonly threshold?: number;
  /** How long it is left alone then before one publication tries it again: 1 to 3,600,000 ms, default 10,000. */
  readonly openMs?: number;
  /** How long the first may take over a publication before the second is asked: 1 to 120,000 ms, default 2,000. */
  readonly timeoutMs?: number;
  /**
   * Whether the second tells of the end of a lease while the first can't. Default false: then that is `unavailable`, since the first may be what ends leases (the shards' log is), and word of an
   * end that has not come would be false.
   */
  readonly carriesLeaseEnds?: boolean;
}

/** {@link FailoverBusOptions} with every default in its place. */
export type ResolvedFailover = Required<FailoverBusOptions>;

/** Throws `invalid_argument` naming the field. */
export function resolveFailover(options: FailoverBusOptions): ResolvedFailover {
  const { threshold = 5, openMs = 10_000, timeoutMs = 2_000, carriesLeaseEnds = false } = options;
  checkWhole("threshold", threshold, 1_000);
  checkWhole("openMs", openMs, 3_600_000);
  checkWhole("timeoutMs", timeoutMs, maxTimeoutMs);
  if (options.first === options.second) {
    throw new WarpError("invalid_argument", "first and second are two buses", {
      details: { field: "second" },
    });
  }
  return { ...options, threshold, openMs, timeoutMs, carriesLeaseEnds };
}

function checkWhole(field: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new WarpError("invalid_argument", `${field} is a whole number from 1 to ${max}`, {
    details: { field, min: 1, max },
  });
}

import type { LeaseEndAction, LeaseVerdict } from "../../protocol/lease.ts";
import type { KnownOutcome } from "../../protocol/outcomes.ts";
import { checkRegistered } from "../../protocol/plan.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { MemoryFeed } from "./memory-feed.ts";
import type { MemoryLog } from "./memory-log.ts";
import type { MemoryRegistrations } from "./memory-registrations.ts";
import type { MemoryValues } from "./memory-values.ts";

/** What leases in this process ask of the storage whose keys they have. */
export interface LeasedStorage {
  /** The storage's own: an op id is known to it whatever it was used for. */
  readonly verdicts: {
    recall(opId: string, print: string): LeaseVerdict | undefined;
    keep(opId: string, outcome: KnownOutcome, nowMs: number): void;
  };
  /** Throws `unregistered` for a key that a strict space does not take. */
  check(key: string): void;
  /** A lease has ended: every key of it is invalidated or deleted, in one stretch. */
  ended(id: string, keys: Iterable<string>, onEnd: LeaseEndAction): void;
}

/** Leases in this process, as the storage sees them: `MemoryLeaseSpace` is one. */
export interface MemoryLeasing {
  /** Called once, by the storage that they are made for. Throws `invalid_argument` for a second one. */
  serve(storage: LeasedStorage): void;
  /** Ends what is due. */
  expire(): void;
  /** Throws `lease_not_found`, `overloaded`. */
  check(lease: string, key: string): void;
  /** Attaches a key, after {@link check} in the same stretch. */
  attach(lease: string, key: string): void;
}

/** The parts of a storage that the ends of leases reach. */
export interface LeasedParts {
  readonly clock: Clock;
  readonly space: { readonly strict: boolean };
  readonly verdicts: LeasedStorage["verdicts"];
  readonly registrations: MemoryRegistrations;
  readonly log: MemoryLog;
  readonly values: MemoryValues;
  readonly feed: MemoryFeed;
}

/** A storage as its leases use it. */
export function leasedStorage({ space, registrations, clock, log, ...parts }: LeasedParts): LeasedStorage {
  return {
    verdicts: parts.verdicts,
    check: (key) => checkRegistered(space, registrations.match(key)?.settings),
    ended: (id, keys, onEnd) => {
      const nowMs = clock.now();
      log.append("leaseEnd", id);
      for (const key of keys) parts.values.endOfLease(key, onEnd, nowMs);
      parts.feed.tell();
    },
  };
}

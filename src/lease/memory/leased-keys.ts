import type { LeaseEndAction, LeaseVerdict } from "../../protocol/lease.ts";
import type { KnownOutcome } from "../../protocol/outcomes.ts";

/** What leases in this process ask of the storage whose keys they have; the memory adapter's storage gives it. */
export interface LeasedKeys {
  /** What op ids have come to: the storage's own memory, so that an op id is known whatever it was used for. */
  readonly verdicts: {
    recall(opId: string, print: string): LeaseVerdict | undefined;
    keep(opId: string, outcome: KnownOutcome, nowMs: number): void;
  };
  /** Throws `unregistered` for a key that a strict space does not take. */
  check(key: string): void;
  /** A lease has ended: every key of it is to be invalidated or deleted, in this stretch. */
  ended(id: string, keys: Iterable<string>, onEnd: LeaseEndAction): void;
}

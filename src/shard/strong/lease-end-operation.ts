import type { ErrorData } from "../../errors.ts";
import type { LeaseEndAction } from "../../protocol/lease.ts";
import { utf8 } from "../../runtime/bytes.ts";
import { fingerprint } from "../../runtime/hash.ts";
import type { EndedKeys } from "../lease/end-keys.ts";
import type { Ledger } from "../ledger.ts";
import { nothing, type Operation, type Touch } from "./operation.ts";

/**
 * The end of a lease for some of its keys. It asks for no quorum, whatever is registered for them: an end can't fail, and what is dropped without a vote is dropped
 * all the same.
 */
export class LeaseEndOperation implements Operation<EndedKeys> {
  readonly opId: string;
  readonly withoutQuorum = true;
  readonly #lease: string;
  readonly #onEnd: LeaseEndAction;
  readonly #keys: readonly string[];

  /** `part`: which of the lease's ends in this shard it is, from 0 on. */
  constructor(lease: string, onEnd: LeaseEndAction, keys: readonly string[], part: number) {
    // No caller's: nobody asks for it again.
    this.opId = `lease ${lease} ${part}`;
    this.#lease = lease;
    this.#onEnd = onEnd;
    this.#keys = keys;
  }

  get claims(): readonly string[] {
    return this.#keys;
  }

  get reach(): Touch {
    return { ...nothing, keys: this.#keys };
  }

  print(): string {
    return fingerprint(utf8(this.opId));
  }

  apply(ledger: Ledger, nowMs: number): EndedKeys {
    return ledger.endOfLease(this.#lease, this.#onEnd, this.#keys, nowMs);
  }

  touched({ touched }: EndedKeys): Touch {
    return { ...nothing, keys: touched };
  }

  refused(_error: ErrorData): EndedKeys {
    return { count: 0, touched: [] };
  }
}

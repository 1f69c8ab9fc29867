import type { MergeFunctions } from "../../merge/merge-function.ts";
import type { HeldLocks } from "../../protocol/fence.ts";
import type { StoredRegistration } from "../../protocol/registration.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import type { MemoryLeasing } from "./memory-leasing.ts";

/** What a {@link MemoryStorage} is made of. */
export interface MemoryStorageOptions {
  readonly clock: Clock;
  /** For those who wait for another's load. Default: nobody waits, another's claim is `busy` at once. */
  readonly timers?: Timers;
  readonly random: Random;
  /** Name of the space. Default `"memory"`. */
  readonly space?: string;
  /** Whether keys without a registration are refused. Default false. */
  readonly strict?: boolean;
  /** Largest value, in bytes. Default 1,048,576. */
  readonly maxValueBytes?: number;
  /** Log entries kept at least (up to twice as many for a while). Default 100,000. */
  readonly logMaxEntries?: number;
  /** Bytes of values that the log keeps for those who watch. Default 64 MiB. */
  readonly logMaxBytes?: number;
  /** Merge rules beside the built-in ones, by name. Default none. */
  readonly merges?: MergeFunctions;
  /** Leases that keys may be attached to. Default: none, `lease` is `unsupported`. */
  readonly leases?: MemoryLeasing;
  /** Registrations of the configuration: what they say about history and merge holds here too. Default none. */
  readonly statics?: readonly StoredRegistration[];
  /** The locks that guards are judged by. Default none: guards are `unsupported`. */
  readonly locks?: HeldLocks;
}

import type { Operation } from "./history.ts";
import type { LockCall } from "./lock-history.ts";

/** A broken promise. */
export interface Violation {
  /** Id of the promise, as in `docs/spec.md`. */
  readonly rule: string;
  readonly what: string;
  /** What shows it. */
  readonly operations: readonly Operation[];
  /** The same of locks. */
  readonly locks?: readonly LockCall[];
}

import type { Backing } from "../backing.ts";

/** The calls that can go wrong. */
export type MemoryCall = Exclude<keyof Backing, "supports" | "maxBatchBytes" | "close">;

/** What goes wrong with one call. Times are ms by the driver's timers; a call with several of them goes through all. */
export interface MemoryFault {
  /** It is carried out so much later. Its caller may have given up by then. Default 0. */
  readonly beforeMs?: number;
  /** It is answered so much after it was carried out. Default 0. */
  readonly afterMs?: number;
  /** Its caller hears `storage_unavailable` instead: `before` of a call that was never carried out, `after` of one that was. */
  readonly lose?: "before" | "after";
  /** A copy of it is carried out so much later, whatever became of the first. */
  readonly copyAfterMs?: number;
}

/** Decides what goes wrong with a call; undefined: nothing. */
export type MemoryFaults = (call: MemoryCall) => MemoryFault | undefined;

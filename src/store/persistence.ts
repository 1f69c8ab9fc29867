/** The contract of keeping a store's entries beyond the page. `test/contract/persistence.ts` holds each driver to it. */

import { covers, sameEpochs } from "./places.ts";

/** An entry as it is kept. */
export interface KeptEntry<T = unknown> {
  readonly key: string;
  readonly value?: T;
  readonly version: number;
  /** The revision up to which this is known of the key: orders what several tabs write. */
  readonly at: number;
  readonly shard?: number;
  /** `gone`: it was deleted by a write of one's own that the watch has not told yet. `unread`: there is a newer value. */
  readonly state: "there" | "gone" | "unread";
  /** The position of a write of one's own that the watch has not told yet: it is ahead of the cursor. */
  readonly ack?: string;
  readonly endsAtMs?: number;
}

/** What is kept beside the entries. */
export interface KeptState {
  readonly format: 1;
  /** Empty: it was purged. */
  readonly session: string;
  readonly prefix: string;
  /** The entries are the state up to here. Undefined: there are none. */
  readonly cursor: string | undefined;
  /** When that was last known to be the newest, ms since 1970. */
  readonly confirmedAtMs: number;
  readonly endsAtMs?: number;
  readonly isWhole: boolean;
}

/** As it was found; whoever reads it checks it, since others may have written it. */
export interface Kept {
  readonly state: unknown;
  readonly entries: readonly unknown[];
}

/** What has changed, to be kept in one transaction. */
export interface KeptChange {
  readonly state: KeptState;
  /** What is kept is up to here at least, else the change is not enough. `whole`: the change is all there is. `begin`: so, whatever is kept. */
  readonly from: string | undefined | "whole" | "begin";
  readonly put: readonly KeptEntry[];
  /** Keys with the revision up to which they are known to be gone. */
  readonly drop: readonly (readonly [key: string, at: number])[];
}

/**
 * `kept`: what is kept now is at least what the change says. `later`: another tab knows more of some shard and less of another; write again with what comes. `whole`: write everything.
 * `foreign`: it belongs to another session.
 */
export type KeptVerdict = "kept" | "later" | "whole" | "foreign";

/** Several tabs share what it keeps. All methods throw or reject with whatever their storage fails with. */
export interface Persistence {
  /** Everything; undefined: there is nothing. */
  load(): Promise<Kept | undefined>;
  /**
   * Judges by {@link judge} and carries out, in one transaction. No entry goes back to an older `at`, except where the change is all there is. Where what is kept is further
   * than the change, of its entries only those with an `ack` are put.
   */
  save(change: KeptChange): Promise<KeptVerdict>;
  /** Forgets everything; what other tabs still save of the session before is `foreign`. */
  purge(): Promise<void>;
  /** Lets go of the storage; a later call opens it again. */
  close(): void;
}

/** What is to be done with a change: `write` it, write only what is `ahead` of the cursor, or nothing. */
export function judge(
  kept: KeptState | undefined,
  { state, from }: KeptChange,
): "write" | "ahead" | Exclude<KeptVerdict, "kept"> {
  if (from === "begin") return "write";
  if (kept === undefined) return from === "whole" ? "write" : "whole";
  if (kept.session !== state.session || kept.prefix !== state.prefix) return "foreign";
  if (from === "whole" && !sameEpochs(kept.cursor, state.cursor)) return "write";
  if (covers(state.cursor, kept.cursor)) {
    return from === "whole" || covers(kept.cursor, from) ? "write" : "whole";
  }
  if (covers(kept.cursor, state.cursor)) return "ahead";
  return sameEpochs(kept.cursor, state.cursor) ? "later" : "whole";
}

/** Whether an entry may be put, or a key dropped, over what is kept of it. */
export function isNewer(kept: unknown, at: number): boolean {
  return kept === undefined || !((kept as KeptEntry).at > at);
}

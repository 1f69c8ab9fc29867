/** The contract of keeping a store's entries beyond the page. `test/contract/persistence.ts` holds each driver to it. */

import { covers, sameEpochs } from "./places.ts";

/** What is known of a key from the authority; replaced, never changed. Without a value: it is gone, or `unread`. */
export interface Known<T = unknown> {
  readonly key: string;
  /** The revision up to which this is known of the key. */
  readonly at: number;
  readonly value?: T;
  /** Of the value. */
  readonly version: number;
  /** There is a newer value than this, which was not told. */
  readonly unread?: true;
  /** The position of what an answer said and the watch has not told yet: this is ahead of the cursor. */
  readonly ack?: string;
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
  readonly endsAtMs?: number | undefined;
}

/** As it was found: whoever reads it checks it, since anybody may have written it. */
export interface Kept {
  /** Undefined: there is nothing. */
  readonly state: unknown;
  readonly entries: readonly unknown[];
}

/** What has changed, to be kept in one transaction. */
export interface KeptChange {
  readonly state: KeptState;
  /** What is kept has to be so far at least, or the change is not enough. Undefined: the change is all there is. */
  readonly from: string | undefined;
  /** All there is, whatever is kept, and of whom. */
  readonly isBeginning?: boolean;
  readonly put: readonly Known[];
  /** Keys with the revision up to which they are known to be gone. */
  readonly drop: readonly (readonly [key: string, at: number])[];
}

/** `kept`: what is kept now is at least what the change says. `whole`: it is not; write everything the next time. `foreign`: it belongs to another session. */
export type KeptVerdict = "kept" | "whole" | "foreign";

/** Several tabs share what it keeps. All methods reject with whatever their storage fails with. */
export interface Persistence {
  /** Everything. */
  load(): Promise<Kept>;
  /** Does what {@link judge} says, in one transaction. No entry goes back to an older `at`, but where a change is all there is. */
  save(change: KeptChange): Promise<KeptVerdict>;
  /** Forgets everything; what other tabs still save of the session before is `foreign`. */
  purge(): Promise<void>;
  /** Lets go of the storage; a later call opens it again. */
  close(): void;
}

/** What is kept after a purge: nobody's. */
export const purgedState: KeptState = {
  format: 1,
  session: "",
  prefix: "",
  cursor: undefined,
  confirmedAtMs: 0,
};

/** Judges a change by what is kept. `write`: it is to be carried out; where it is all there is, after everything is forgotten. */
export function judge(
  kept: KeptState | undefined,
  { state, from, isBeginning }: KeptChange,
): KeptVerdict | "write" {
  const { session = state.session, cursor } = kept ?? {};
  if (isBeginning) return "write";
  if (session !== state.session) return "foreign";
  const isFurther = covers(state.cursor, cursor);
  if (from === undefined ? isFurther || !sameEpochs(state.cursor, cursor) : isFurther && covers(cursor, from))
    return "write";
  // Another tab is further, or further in some shards.
  return covers(cursor, state.cursor) ? "kept" : "whole";
}

/** Whether a key may be put, or dropped, at a revision over what is kept of it. */
export function isOlder(kept: Known | undefined, at: number): boolean {
  return !kept || kept.at <= at;
}

import type { WarpError } from "../errors.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Codec } from "../runtime/codec.ts";
import type { Persistence } from "./persistence.ts";
import type { StoreClient, StoreSetOptions, StoreWriteOptions, StoreWritten } from "./store-client.ts";

/** What a page knows of a key. The same object until something in it changes. */
export interface StoreEntry<T = unknown> {
  readonly value: T;
  /** Of the last value that the authority has confirmed; 0: none yet. */
  readonly version: number;
  /** It may be out of date: the store is not told of changes at the moment, or a newer value has not been read yet. */
  readonly stale: boolean;
  /** A write of this store's own that is not confirmed yet; it is taken back if it is refused. */
  readonly pending: boolean;
}

/**
 * `idle`: not begun, purged or closed. `loading`: nothing is known yet. `live`: what is shown is the state, and changes are told as they happen. `stale`: what is shown was the state once.
 * `ended`: the watch has ended, `onError` was told why; `init` begins again.
 */
export type StoreStatus = "idle" | "loading" | "live" | "stale" | "ended";

/** What a store asks of its host; a `ClientHost` is one. */
export interface StoreHost {
  /** The wall clock: ends of sessions, and what is kept, outlive the page. */
  readonly clock: Clock;
  readonly timers: Timers;
  /** Told when the page is shown, hidden and frozen; the answer ends that. Absent: always shown. */
  readonly signals?: { listen(listener: (signal: string) => void): () => void };
}

/** Whose the kept data is. */
export interface StoreSession {
  /** The id of a lease, of a user, of a login: what is kept is shown to nobody else. Default none: nothing is kept beyond the page. */
  readonly session?: string;
  /** When the session is over at the latest, ms since 1970: then it is purged, also if nobody can be asked. Default: not known. */
  readonly endsAtMs?: number | undefined;
}

export interface StoreOptions<T = unknown> {
  /** Lent: it stays open. */
  readonly client: StoreClient;
  /** All keys that begin with it are in the store. `""`: the whole space. */
  readonly prefix: string;
  /** `indexedDbPersistence(name)` or `memoryPersistence()`. Default none: nothing outlives the page. */
  readonly persistence?: Persistence;
  /** How long entries are shown after they were last known to be true, ms. Default: for as long as the session lasts. */
  readonly ttlMs?: number;
  /** At least 1. Beyond it those that changed longest ago are left out, but for keys with a subscription or a pending write. Default 10,000. */
  readonly maxEntries?: number;
  /** Default: the client's. */
  readonly codec?: Codec<T>;
  /** Asked when a session begins and whenever the client's status changes. `false`: it is over, and purged. What it throws says nothing: it is asked again. */
  readonly checkSession?: (session: string) => Promise<boolean>;
  /** Told what nobody waits for: a queued write that was refused (with its key), storage that fails, the end of the watch. Default: an uncaught error. */
  readonly onError?: (error: WarpError, key?: string) => void;
  /** Default: what the host's globals give. */
  readonly host?: StoreHost;
}

/** Told the keys that may have changed: none where only {@link WarpStore.status} has. */
export type StoreListener = (keys: readonly string[]) => void;

/** The keys of a prefix in the memory of a page: kept by the browser, coherent by a watch. */
export interface WarpStore<T = unknown> {
  readonly status: StoreStatus;
  /** The session that has begun. */
  readonly session: string | undefined;
  /** Settles when the store is `live` for the first time; rejects with what ends it before. */
  readonly ready: Promise<void>;
  /** What is known of a key, from memory; undefined: it is not there, or not known to be. */
  get(key: string): StoreEntry<T> | undefined;
  /** All that is shown, in the order of the keys. The same map until something in it changes. */
  snapshot(): ReadonlyMap<string, StoreEntry<T>>;
  /** Tells of changes of one key, or of all; the answer ends that. */
  subscribe(key: string | undefined, listener: StoreListener): () => void;
  /**
   * Shows the value at once, then writes it; writes of one key are sent in order. Gives what the client gives: done, or queued. Throws what refuses it, after it was taken back. The value is not to be changed
   * afterwards. Where the key has a merge rule the value is shown as it stands until the merged one is told.
   */
  set(key: string, value: T, options?: StoreSetOptions): Promise<StoreWritten>;
  delete(key: string, options?: StoreWriteOptions): Promise<StoreWritten>;
  /** Begins: shows what is kept of this session, forgets what is kept of another, and watches. Settles when what was kept is shown. Again with the same session: goes on. */
  init(session?: StoreSession): Promise<void>;
  /** Begins with the session whose data is kept, and gives it; undefined: there is none, or it is over. */
  restoreSession(): Promise<string | undefined>;
  /** Ends the session: forgets everything, in memory and on disk. Writes that were not sent are refused (`aborted`). */
  purge(): Promise<void>;
  /** Ends it and keeps what is kept; idempotent. */
  close(): Promise<void>;
}

/** What a store asks of a client: the part of `WarpClient` (`warp-edge/client`) that it uses. */

import type { WarpError } from "../errors.ts";
import type { Codec } from "../runtime/codec.ts";
import type { WatchedItem } from "../watchbus/watched-item.ts";

/** A write that is done. */
export interface StoreDone {
  readonly version: number;
  /** Of the change in its shard's log; 0: it changed nothing. */
  readonly revision: number;
  /** `epoch.revision` of the answer. */
  readonly cursor: string;
}

/** What the client answers to a write: it is done, or waits in the client's queue under its op id. */
export type StoreWritten = StoreDone | { readonly queued: string };

/** How a queued write ended. */
export type StoreSettled = { readonly queued: string } & (
  | { readonly outcome: "ok"; readonly done: StoreDone }
  | { readonly outcome: "fail" | "unknown"; readonly error: WarpError }
);

/** Options of a write that the client is handed as they are. */
export interface StoreWriteOptions {
  /** Only if the key is at this version; 0: only if it is absent. Else `precondition_failed`, and the true value is shown. */
  readonly ifVersion?: number;
  readonly ifAbsent?: boolean;
  /** `queue` (the default): what can't be sent now is sent later, in order. `fail`: it is refused at once. */
  readonly offline?: "queue" | "fail";
  readonly opId?: string;
  readonly signal?: AbortSignal;
}

export interface StoreSetOptions extends StoreWriteOptions {
  /** Life of the value at the authority, 1 ms to 10 years. Default: until deleted. */
  readonly expiresInMs?: number;
  readonly tags?: readonly string[];
  readonly lease?: string;
  /** Where the key has a merge rule: replace the stored value instead. */
  readonly replace?: boolean;
}

/** A watch of the client's. */
export interface StoreWatch<T> extends AsyncIterable<WatchedItem<T>> {
  readonly cursor: string | undefined;
  readonly status: "connecting" | "live" | "catching-up" | "offline" | "ended";
  onStatus(listener: () => void): () => void;
}

export interface StoreClient {
  readonly status: "connecting" | "online" | "offline" | "closed";
  onStatus(listener: () => void): () => void;
  get<T>(
    key: string,
    options: { readonly codec?: Codec<T>; readonly signal?: AbortSignal },
  ): Promise<{ readonly value: T; readonly version: number; readonly cursor: string } | undefined>;
  set(
    key: string,
    value: unknown,
    options: StoreSetOptions & { readonly codec?: Codec<unknown> },
  ): Promise<StoreWritten>;
  delete(key: string, options: StoreWriteOptions): Promise<StoreWritten>;
  watch<T>(
    target: { readonly prefix: string },
    options: {
      readonly from: "snapshot" | { readonly cursor: string };
      readonly mode: "latest";
      readonly ops: readonly ("set" | "delete" | "expire")[];
      readonly codec?: Codec<T>;
      readonly signal: AbortSignal;
    },
  ): StoreWatch<T>;
  readonly queue: { settled(listener: (settled: StoreSettled) => void): () => void };
}

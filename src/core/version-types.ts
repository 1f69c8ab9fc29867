/** What callers see of kept versions. */

import type { CallOptions, KeptVersion } from "../adapter/adapter.ts";

/** A kept version that has a value. */
export interface KeptEntry<T> {
  readonly key: string;
  readonly version: number;
  /** Entity tag of that version, without quotes. */
  readonly etag: string;
  readonly kind: "set";
  readonly value: T;
  /** Wall-clock ms of its commit at the authority. */
  readonly atMs: number;
  readonly sizeBytes: number;
  readonly contentType: string;
  readonly tags?: readonly string[];
}

/** A kept version: a value, or the end of one (rule VE4). */
export type VersionEntry<T> =
  | KeptEntry<T>
  | {
      readonly key: string;
      readonly version: number;
      readonly etag: string;
      readonly kind: "delete" | "expire";
      readonly value: undefined;
      readonly atMs: number;
    };

export interface HistoryOptions extends CallOptions {
  /** Only versions below this one. Default: from the newest on. */
  readonly before?: number;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
}

export interface HistoryPage {
  /** Newest first. */
  readonly versions: readonly KeptVersion[];
  readonly more: boolean;
  /** The oldest version that is kept; what is below it is `version_compacted`. */
  readonly floor: number;
  /** `epoch.revision` of the answer. */
  readonly cursor: string;
}

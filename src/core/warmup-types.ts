/** What callers see of a warm-up. */

/** Options of `warp.warmup`. */
export interface WarmupOptions {
  /** Default: every registered pattern. Keys of strong mode are left out: each copy would be a permission that the shard has to remember. */
  readonly patterns?: readonly string[];
  /** Loads at a time, 1 to 64. Default 8. */
  readonly width?: number;
  /** Most keys to load. Default: all. */
  readonly limit?: number;
  /** Ends the warm-up with `aborted`; what has not come in by then stays out. */
  readonly signal?: AbortSignal;
}

/** How far a warm-up is. */
export interface WarmupProgress {
  /** Keys brought into L1 so far. */
  readonly loaded: number;
  readonly failed: number;
  /** `loaded` and `failed` together: with the last progress, when all is listed. */
  readonly total?: number;
  /** Failed keys since the progress before this one. */
  readonly errors: readonly { readonly key: string; readonly code: string }[];
}

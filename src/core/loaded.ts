import type { CacheEntry } from "../cache/cache.ts";
import type { Position } from "../protocol/position.ts";
import type { Moment } from "./moment.ts";
import type { Policy } from "./policy.ts";
import type { CacheOutcome } from "./types.ts";

/** A key to load, and its policy. */
export interface Need {
  readonly key: string;
  readonly settings: Policy;
  /** Only the authority will do, no second tier. */
  readonly authority?: boolean;
}

/** What a load gave. */
export interface Loaded {
  /** Undefined: the key is absent. */
  readonly entry: CacheEntry | undefined;
  readonly position: Position;
  readonly begun: Moment;
  /** The key changed while the answer was on its way. */
  readonly overtaken: boolean;
  /** A second tier gave it: it was true when its copy says, not when it was asked for. */
  readonly cached?: boolean;
  /** The way around a shard gave it: it has no position, and is not kept. */
  readonly provisional?: true;
}

/** How a value that was loaded was come by. */
export function outcomeOf({ cached, provisional }: Loaded, { settings }: Need): CacheOutcome {
  if (provisional === true) return "stale";
  return cached === true ? "hit" : settings.mode === "strong" ? "bypass" : "miss";
}

export type Settled<T> = { readonly value: T; readonly error?: undefined } | { readonly error: unknown };

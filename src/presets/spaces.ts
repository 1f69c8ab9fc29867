import type { WarpStats } from "../core/types.ts";
import type { WarpNode } from "../core/warp-node.ts";

/** Options of {@link Spaces}. */
export interface SpacesOptions<W extends WarpNode> {
  /** Makes the `Warp` of a space. */
  readonly make: (space: string) => W;
  /** Told each time that a `Warp` is asked for. Must not throw. */
  readonly used?: (warp: W) => void;
  /** Most spaces whose `Warp` is kept, 1 or more. */
  readonly maxSpaces: number;
  /** What all L1 together may take, in bytes as they are charged. */
  readonly maxBytes: number;
}

/** Looks between two checks of the common budget: few, since each may bring in a value at its limit. */
const checkEvery = 32;

/**
 * The `Warp`s of a process that serves many spaces, one for each, made when first asked for. Each has an L1 of its own, so that
 * no space can see or push out another's keys; the budget is common: when all together exceed it, the L1 of the space that was
 * used least recently is emptied. A `Warp` in use is never closed.
 */
export class Spaces<W extends WarpNode = WarpNode> {
  readonly #options: SpacesOptions<W>;
  /** In order of use, the least recent first. */
  readonly #warps = new Map<string, W>();
  #last: { readonly space: string; readonly warp: W } | undefined;
  #looks = 0;
  /** What the nodes that were forgotten had counted. */
  #past: WarpStats | undefined;

  constructor(options: SpacesOptions<W>) {
    this.#options = options;
  }

  /** The `Warp` of `space`, which is well-formed; it need not exist yet. */
  warp(space: string): W {
    if (++this.#looks % checkEvery === 0) this.#keepBudget();
    const warp = this.#find(space);
    this.#options.used?.(warp);
    return warp;
  }

  #find(space: string): W {
    // Most processes serve one space: no map work then.
    if (this.#last?.space === space) return this.#last.warp;
    let warp = this.#warps.get(space);
    if (warp === undefined) {
      warp = this.#options.make(space);
      this.#forgetOldest();
    } else this.#warps.delete(space);
    this.#warps.set(space, warp);
    this.#last = { space, warp };
    return warp;
  }

  /** Spaces that are kept. */
  get size(): number {
    return this.#warps.size;
  }

  /**
   * The figures of all nodes together since the first was made, forgotten ones included: what is counted never falls. What is of
   * now (entries, bytes, hot keys) is of the nodes that are kept. Undefined before the first.
   */
  stats(): WarpStats | undefined {
    let sum = this.#past;
    for (const warp of this.#warps.values()) sum = addStats(sum, warp.stats());
    return sum;
  }

  #forgetOldest(): void {
    if (this.#warps.size < this.#options.maxSpaces) return;
    const [oldest] = this.#warps;
    if (oldest === undefined) return;
    const [space, warp] = oldest;
    const stats = warp.stats();
    const past = { ...stats, hotKeys: 0, watches: 0, cache: { ...stats.cache, entries: 0, bytes: 0 } };
    this.#past = addStats(this.#past, past);
    this.#warps.delete(space);
  }

  #keepBudget(): void {
    // The one L1 of a single space keeps its own bound.
    if (this.#warps.size === 1) return;
    let bytes = 0;
    for (const warp of this.#warps.values()) bytes += warp.stats().cache.bytes;
    for (const warp of this.#warps.values()) {
      if (bytes <= this.#options.maxBytes) return;
      bytes -= warp.stats().cache.bytes;
      // A closed one, the caller's doing, has nothing left to empty.
      warp.invalidateLocal({ prefix: "" }).catch(() => undefined);
    }
  }
}

function addStats(one: WarpStats | undefined, other: WarpStats): WarpStats {
  if (one === undefined) return other;
  return { ...addNumbers(one, other), cache: addNumbers(one.cache, other.cache) };
}

/** Member by member, so that a figure that is new to the core is summed without a word here. */
function addNumbers<T extends object>(one: T, other: T): T {
  const sum: Record<string, unknown> = Object.fromEntries(Object.entries(one));
  for (const [name, value] of Object.entries(other)) {
    const before = sum[name];
    sum[name] = typeof before === "number" && typeof value === "number" ? before + value : value;
  }
  return sum as T;
}

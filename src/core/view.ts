import type { Position } from "../protocol/position.ts";
import { KnownRanges } from "./known-ranges.ts";
import type { Moment } from "./moment.ts";

/** How far this node has followed one life of a shard's log. */
export class View {
  readonly epoch: string;
  /** Send time of the last exchange that proved it: from then on, changes may be missing. */
  provenAtMs: number;
  /** The node's order when it last had an answer of this epoch. */
  seenOrder: number;
  #revision: number;
  readonly #known = new KnownRanges();

  constructor(position: Position, begun: Moment, seenOrder: number) {
    this.epoch = position.epoch;
    this.#revision = position.revision;
    this.provenAtMs = begun.atMs;
    this.seenOrder = seenOrder;
  }

  /** All changes up to here are applied to L1. */
  get revision(): number {
    return this.#revision;
  }

  /** Each of these changes has been applied, or is in line with L1 as this node's own. */
  applied(revisions: readonly number[]): void {
    this.#revision = this.#known.advance(this.#revision, revisions);
  }

  /** All changes of `(after, to]` have been applied. */
  appliedThrough(after: number, to: number): void {
    this.#revision = this.#known.advanceThrough(this.#revision, after, to);
  }

  /** Nothing that was proven counts until an exchange proves it anew. */
  doubt(): void {
    this.provenAtMs = Number.NEGATIVE_INFINITY;
  }
}

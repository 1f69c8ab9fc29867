/** Most ranges that are remembered. One more, and the earliest goes: the log will tell of it. */
const maxRanges = 64;

/**
 * Revisions of a shard's log beyond the followed position that L1 is in line with: this node's own changes, when they were answered, and
 * pushed ones. So the log need not be asked for them. They may come in any order; ranges wait here until those before them are known.
 */
export class KnownRanges {
  /** In order, apart from each other; both ends belong to it. */
  #ranges: { readonly first: number; last: number }[] = [];

  /** Takes note of `revisions`, and gives how far everything after `applied` is known without a gap. */
  advance(applied: number, revisions: readonly number[]): number {
    for (const revision of [...revisions].sort((a, b) => a - b)) {
      const last = this.#ranges.at(-1);
      if (last !== undefined && revision === last.last + 1) last.last = revision;
      else if (revision > applied) this.#insert(revision, revision);
    }
    return this.#reach(applied);
  }

  /** The same of all revisions of `(after, to]`. */
  advanceThrough(applied: number, after: number, to: number): number {
    // In step with the log, as most pushes are: nothing waits here.
    if (this.#ranges.length === 0 && after <= applied) return Math.max(applied, to);
    if (to > applied && to > after) this.#insert(Math.max(after, applied) + 1, to);
    return this.#reach(applied);
  }

  #reach(applied: number): number {
    let reached = applied;
    for (const { first, last } of this.#ranges) {
      if (first > reached + 1) break;
      reached = Math.max(reached, last);
    }
    this.#ranges = this.#ranges.filter(({ last }) => last > reached);
    if (this.#ranges.length > maxRanges) this.#ranges = this.#ranges.slice(-maxRanges);
    return reached;
  }

  #insert(first: number, last: number): void {
    const before = this.#ranges.filter((range) => range.last < first - 1);
    const after = this.#ranges.filter((range) => range.first > last + 1);
    const met = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const whole = {
      first: Math.min(first, met[0]?.first ?? first),
      last: Math.max(last, met.at(-1)?.last ?? last),
    };
    this.#ranges = [...before, whole, ...after];
  }
}

/** Most ranges that are remembered. One more, and the earliest goes: the log will tell of it. */
const maxRanges = 64;

/**
 * Revisions of a shard's log that are this node's own changes, in line with which L1 was brought when they were answered. So the log need not
 * be asked for them. Answers may come in any order; ranges wait here until those before them are known.
 */
export class OwnRanges {
  /** In order, apart from each other; both ends belong to it. */
  #ranges: { readonly first: number; last: number }[] = [];

  /** Takes note of `revisions`, and gives how far everything after `applied` is known without a gap. */
  advance(applied: number, revisions: readonly number[]): number {
    for (const revision of [...revisions].sort((a, b) => a - b)) {
      const last = this.#ranges.at(-1);
      if (last !== undefined && revision === last.last + 1) last.last = revision;
      else if (revision > applied) this.#insert(revision);
    }
    let reached = applied;
    for (const { first, last } of this.#ranges) {
      if (first > reached + 1) break;
      reached = Math.max(reached, last);
    }
    this.#ranges = this.#ranges.filter(({ last }) => last > reached);
    if (this.#ranges.length > maxRanges) this.#ranges = this.#ranges.slice(-maxRanges);
    return reached;
  }

  #insert(revision: number): void {
    const at = this.#ranges.findIndex(({ last }) => last >= revision - 1);
    const range = at < 0 ? undefined : this.#ranges[at];
    if (range === undefined) this.#ranges.push({ first: revision, last: revision });
    else if (range.last === revision - 1) range.last = revision;
    else if (range.first > revision) this.#ranges.splice(at, 0, { first: revision, last: revision });
  }
}

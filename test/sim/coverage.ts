import type { Run } from "./run.ts";

/** What a number of runs went through, for their report. */
export class Coverage {
  runs = 0;
  /** Runs with locks. */
  locking = 0;
  judged = 0;
  undecided = 0;
  instances = 0;
  events = 0;
  copies = 0;
  greatestLagMs = 0;
  readonly operations = new Map<string, number>();
  readonly outcomes = new Map<string, number>();
  readonly errors = new Map<string, number>();
  readonly answers = new Map<string, number>();
  readonly locks = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly seen = new Map<string, number>();

  add(run: Run): void {
    this.runs++;
    this.judged += run.judged;
    this.undecided += run.undecided;
    this.instances += run.instances;
    this.events += run.events;
    this.copies += run.copies;
    this.greatestLagMs = Math.max(this.greatestLagMs, run.greatestLagMs);
    for (const op of run.history) {
      count(this.operations, op.kind);
      count(this.outcomes, op.outcome);
      if (op.error !== undefined) count(this.errors, op.error);
      if (op.kind === "get" && op.outcome === "ok")
        count(
          this.answers,
          `${op.strong ? "strong" : "eventual"} ${op.stale === true ? "stale" : (op.cache ?? "?")}`,
        );
    }
    if (run.locks.length > 0) this.locking++;
    for (const { kind, outcome, state, error } of run.locks)
      count(this.locks, `${kind} ${outcome === "ok" ? (state ?? "ok") : (error ?? outcome)}`);
    for (const [fault, times] of run.faults) count(this.faults, fault, times);
    for (const [what, times] of run.seen) count(this.seen, what, times);
  }

  /** Takes in what another process counted. */
  merge(other: CoverageData): void {
    for (const name of figures) this[name] += other[name];
    this.greatestLagMs = Math.max(this.greatestLagMs, other.greatestLagMs);
    for (const name of tables) for (const [what, times] of other[name]) count(this[name], what, times);
  }

  toData(): CoverageData {
    const data: Record<string, unknown> = { greatestLagMs: this.greatestLagMs };
    for (const name of figures) data[name] = this[name];
    for (const name of tables) data[name] = [...this[name]];
    return data as unknown as CoverageData;
  }

  toString(): string {
    const list = (counts: ReadonlyMap<string, number>): string =>
      [...counts]
        .sort((a, b) => b[1] - a[1])
        .map(([what, times]) => `${what} ${times}`)
        .join(", ") || "none";
    const operations = [...this.operations.values()].reduce((sum, one) => sum + one, 0);
    return [
      `histories ${this.runs}, operations ${operations}, judged for one order ${this.judged}, undecided ${this.undecided}`,
      `operations: ${list(this.operations)}`,
      `outcomes: ${list(this.outcomes)}`,
      `errors: ${list(this.errors)}`,
      `gets: ${list(this.answers)}`,
      `locks in ${this.locking} histories: ${list(this.locks)}`,
      `faults: ${list(this.faults)}`,
      `seen: ${list(this.seen)}`,
      `instances of shards ${this.instances}, events ${this.events}, copies in L1 compared ${this.copies}, greatest lag of an eventual get ${this.greatestLagMs.toFixed(0)} ms`,
    ].join("\n");
  }
}

const figures = ["runs", "locking", "judged", "undecided", "instances", "events", "copies"] as const;
const tables = ["operations", "outcomes", "errors", "answers", "locks", "faults", "seen"] as const;

/** {@link Coverage} as plain data. */
export type CoverageData = Record<(typeof figures)[number] | "greatestLagMs", number> &
  Record<(typeof tables)[number], readonly (readonly [string, number])[]>;

function count(counts: Map<string, number>, what: string, times = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + times);
}

import type { Mode } from "../../src/protocol/registration.ts";

/** A finished operation, in virtual time and in the test's own order. Versions tell values apart. */
export interface Done {
  readonly node: number;
  readonly mode: Mode;
  readonly kind: "read" | "change";
  readonly key: string;
  readonly cache: string;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly began: number;
  readonly ended: number;
  /** The version read or written; of an absent key, and of a delete, the log position. */
  readonly at: number;
}

/** What nodes were answered. */
export class ReadHistory {
  readonly #clock: { now(): number };
  readonly #done: Done[] = [];
  #order = 0;

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** An operation begins; call the answer with what it came to. */
  begin(
    of: Pick<Done, "node" | "mode" | "kind" | "key">,
  ): (answer: { readonly version: number; readonly cursor: string; readonly cache?: string }) => void {
    const began = this.#order++;
    const beganMs = this.#clock.now();
    return ({ version, cursor, cache = "" }) => {
      const at = version === 0 ? Number(cursor.split(".")[1]) : version;
      const times = { began, beganMs, ended: this.#order++, endedMs: this.#clock.now() };
      this.#done.push({ ...of, cache, at, ...times });
    };
  }

  /** Reads of nodes with `mode` that L1 answered. */
  hits(mode: Mode | undefined): number {
    return this.#done.filter((done) => done.cache === "hit" && done.mode === mode).length;
  }

  /** What breaks a promise: own writes not read (CO4), an eventual read past its bound (SB3), a strong one that is not linearizable (ST1). */
  faults(boundMs: number): readonly string[] {
    return [
      ...this.#older(
        "CO4",
        (before, read) => before.kind === "change" && before.node === read.node && before.ended < read.began,
      ),
      ...this.#older(
        "SB3",
        (before, read) =>
          read.mode === "eventual" && before.kind === "change" && read.beganMs > before.endedMs + boundMs,
      ),
      ...this.#older(
        "ST1",
        (before, read) =>
          read.mode === "strong" &&
          (before.kind === "change" || before.mode === "strong") &&
          before.ended < read.began,
      ),
    ];
  }

  /** Reads that are older than something that `counts`. */
  #older(rule: string, counts: (before: Done, read: Done) => boolean): readonly string[] {
    const faults: string[] = [];
    for (const read of this.#done) {
      if (read.kind !== "read") continue;
      for (const before of this.#done) {
        if (before.key !== read.key || before.at <= read.at || !counts(before, read)) continue;
        const what = `${before.kind} @${before.at} of node ${before.node}`;
        faults.push(`${rule}: node ${read.node} read ${read.key}@${read.at} (${read.cache}) after a ${what}`);
      }
    }
    return faults;
  }
}

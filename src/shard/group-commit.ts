import { WarpError } from "../errors.ts";

/** What group commit asks of the storage under it. */
export interface CommitStorage {
  /** Runs `work` atomically; undoes all of it if it throws. */
  transaction<T>(work: () => T): T;
  /** Settles when everything written so far is durable. */
  durable(): Promise<void>;
  /** What was kept in memory beside the database must be read again: a transaction was undone. */
  undone(): void;
}

interface Work {
  readonly run: () => unknown;
  readonly weight: number;
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** Options of a {@link GroupCommit}. */
export interface GroupCommitOptions {
  /** Off: each piece of work is a commit of its own. For measuring what grouping gains. Default true. */
  readonly grouping?: boolean;
  /** Most weight in one group. */
  readonly maxWeight: number;
}

/**
 * Commits together what arrives while a commit is under way. A commit costs a round to the disk (or to the platform's replicas)
 * whatever its size, so under load the work of many callers shares one.
 *
 * A piece of work that throws harms no other: the group is undone and each piece is tried alone.
 */
export class GroupCommit {
  readonly #storage: CommitStorage;
  readonly #grouping: boolean;
  readonly #maxWeight: number;
  #waiting: Work[] = [];
  #busy = false;
  /** Commits so far, and the pieces of work in them. */
  readonly stats = { commits: 0, works: 0 };

  constructor(storage: CommitStorage, options: GroupCommitOptions) {
    this.#storage = storage;
    this.#grouping = options.grouping ?? true;
    this.#maxWeight = options.maxWeight;
  }

  /**
   * Runs `run` in a transaction and gives what it gave once that is durable. Rejects with what it threw (nothing of it is kept then), with
   * `storage_unavailable` where the storage refused, or with outcome `unknown` where the commit's fate is.
   */
  submit<T>(run: () => T, weight = 1): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run, weight, done: resolve as (value: unknown) => void, failed: reject });
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#waiting.length > 0) {
        const group = this.#take();
        const settle = this.#run(group);
        this.stats.commits++;
        this.stats.works += group.length;
        try {
          await this.#storage.durable();
        } catch (cause) {
          const error = new WarpError("storage_unavailable", "the commit's fate is unknown", {
            cause,
            outcome: "unknown",
          });
          for (const work of group) work.failed(error);
          continue;
        }
        for (const step of settle) step();
      }
    } finally {
      this.#busy = false;
    }
  }

  #take(): Work[] {
    let weight = 0;
    let count = 0;
    for (const work of this.#waiting) {
      weight += work.weight;
      if (count > 0 && (weight > this.#maxWeight || !this.#grouping)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Runs a group; gives what is to be told to each caller once it is durable. */
  #run(group: readonly Work[]): (() => void)[] {
    try {
      return this.#storage.transaction(() =>
        group.map((work) => {
          const value = work.run();
          return () => work.done(value);
        }),
      );
    } catch (error) {
      this.#storage.undone();
      const [only] = group;
      if (group.length === 1 && only !== undefined) return [() => only.failed(asStorageFailure(error))];
      return group.flatMap((work) => this.#run([work]));
    }
  }
}

function asStorageFailure(error: unknown): WarpError {
  return WarpError.from(
    error,
    "storage_unavailable",
    "the storage refused the write; nothing of it was kept",
  );
}

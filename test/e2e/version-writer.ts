import { newOpId, Problem, type SpaceHttp, type Verdict } from "../support/http-client.ts";
import type { Seeded } from "../support/seeded.ts";

/** One acknowledged change of a key, as its writer knows it: it made one version. */
export interface Change {
  readonly key: string;
  /** Undefined: a delete. */
  readonly text: string | undefined;
  readonly sentAtMs: number;
  /** When its answer came; of a repeated one, the answer to the repetition. */
  readonly ackedAtMs: number;
  /** What its answer named; undefined: a repeated delete, whose verdict names none. */
  readonly version: number | undefined;
}

/** A change that is under way, or whose fate is not known. */
type Asked = Pick<Change, "key" | "text" | "sentAtMs"> & { readonly opId: string };

/**
 * A client that makes one change at a time and remembers each that had an effect: of keys of its own, where its steps are the whole history, and of keys
 * that all clients share.
 */
export class VersionWriter {
  readonly changes: Change[] = [];
  readonly #own: readonly string[];
  readonly #shared: readonly string[];
  readonly #random: Seeded;
  /** The own keys that have a value. */
  readonly #present = new Set<string>();
  #pending: Asked | undefined;
  #steps = 0;

  constructor(own: readonly string[], shared: readonly string[], random: Seeded) {
    this.#own = own;
    this.#shared = shared;
    this.#random = random;
  }

  /** Changes keys until the connection breaks, or until `stopped`; gives whether it broke. */
  async run(space: SpaceHttp, stopped: () => boolean): Promise<boolean> {
    while (!stopped()) {
      this.#pending = this.#next();
      try {
        await this.#send(space, this.#pending);
      } catch (error) {
        if (error instanceof Problem && error.outcome !== "unknown") throw error;
        return true;
      }
    }
    return false;
  }

  /**
   * Repeats the change of unknown fate, if there is one, with its op id. `done`: it had been carried out, the repetition only told; `lost`:
   * the repetition carried it out.
   */
  async resolve(space: SpaceHttp): Promise<"none" | "done" | "lost"> {
    const open = this.#pending;
    if (open === undefined) return "none";
    return (await this.#send(space, open)) ? "done" : "lost";
  }

  /** Gives whether the verdict was an earlier one's. */
  async #send(space: SpaceHttp, asked: Asked): Promise<boolean> {
    const { key, text, opId, sentAtMs } = asked;
    let verdict: Verdict;
    let version: number | undefined;
    if (text === undefined) {
      const told = await space.delete(key, opId);
      verdict = told;
      // The position after a delete is the delete's own; after a repetition it is a later one.
      if (!told.replayed) version = Number(told.revision.split(".")[1]);
    } else {
      verdict = await space.put(key, text, opId);
      version = verdict.version;
    }
    const ackedAtMs = Date.now();
    this.#pending = undefined;
    if (this.#own.includes(key)) {
      if (verdict.existed !== this.#present.has(key)) {
        throw new Error(`${key}: its only writer was told that it existed: ${verdict.existed}`);
      }
      if (text === undefined) this.#present.delete(key);
      else this.#present.add(key);
    }
    // Deleting what was not there makes no version.
    if (text !== undefined || verdict.existed) {
      this.changes.push({ key, text, sentAtMs, ackedAtMs, version });
    }
    return verdict.replayed;
  }

  #next(): Asked {
    const keys = this.#random.below(8) === 0 ? this.#shared : this.#own;
    const key = this.#random.pick(keys);
    const deletes = this.#random.below(6) === 0 && (keys === this.#shared || this.#present.has(key));
    const text = deletes ? undefined : `${key}/${this.#steps++}/${this.#random.below(1_000_000)}`;
    return { key, text, opId: newOpId(), sentAtMs: Date.now() };
  }
}

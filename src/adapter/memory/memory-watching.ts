import { checkOpId } from "../../protocol/mutation.ts";
import type { KnownOutcome, Outcome } from "../../protocol/outcomes.ts";
import type { Position } from "../../protocol/position.ts";
import type { ListedKey, Verdict } from "../../protocol/shard-api.ts";
import type { Publication } from "../../protocol/watch.ts";
import { checkPublication, publicationPrint } from "../../protocol/watch-rules.ts";
import type { MemoryFeed } from "./memory-feed.ts";
import type { LoggedEntry, MemoryLog } from "./memory-log.ts";
import type { MemoryValues } from "./memory-values.ts";

/** A publication that is told and not kept. */
export interface PassingPublication extends Publication {
  /** The head of the log at the time: it is told after this. */
  readonly after: number;
}

/** The parts of a storage that watching reaches. */
export interface WatchedParts {
  readonly log: MemoryLog;
  readonly feed: MemoryFeed;
  readonly verdicts: {
    recall(opId: string, print: string): Outcome | undefined;
    keep(opId: string, outcome: KnownOutcome, nowMs: number): void;
  };
  readonly values: MemoryValues;
  /** Ends what is due and gives the time. */
  begin(): number;
  position(): Position;
}

/** A storage as those see it who watch it: the log with what its entries brought, and publications. */
export class MemoryWatching {
  readonly #parts: WatchedParts;
  readonly #listeners = new Set<(publication: PassingPublication) => void>();

  constructor(parts: WatchedParts) {
    this.#parts = parts;
  }

  get position(): Position {
    this.#parts.begin();
    return this.#parts.position();
  }

  /** The oldest revision that {@link entries} can go back to. */
  get floor(): number {
    return this.#parts.log.floor;
  }

  get nextEndMs(): number {
    return this.#parts.values.nextEndMs;
  }

  entries(after: number, limit: number): readonly LoggedEntry[] {
    return this.#parts.log.entries(after, limit);
  }

  /** A page of the state, with values. */
  list(
    target: Publication["target"],
    after: string | undefined,
    limit: number,
  ): { readonly items: readonly ListedKey[]; readonly more: boolean } {
    const nowMs = this.#parts.begin();
    const { keys } = this.#parts.values;
    if ("prefix" in target) return keys.list({ prefix: target.prefix, after, limit, values: true }, nowMs);
    const entry = keys.entry(target.key, nowMs);
    if (entry === undefined) return { items: [], more: false };
    const { bytes, contentType } = entry.payload;
    return { items: [{ ...entry, key: target.key, sizeBytes: bytes.length, contentType }], more: false };
  }

  /** Hears of every change in the turn of its commit, and of passing publications. The answer ends it. */
  listen(changed: () => void, published: (publication: PassingPublication) => void): () => void {
    const off = this.#parts.feed.listen(changed);
    const entry = (publication: PassingPublication): void => published(publication);
    this.#listeners.add(entry);
    return () => {
      off();
      this.#listeners.delete(entry);
    };
  }

  /** Revision 0 where it is not retained. Throws `invalid_key`, `value_too_large`, `invalid_op_id`, `op_id_expired`; a reused op id is a verdict. */
  publish(publication: Publication & { readonly opId: string; readonly retained: boolean }): Verdict {
    const { opId, target, payload, retained } = publication;
    checkPublication(publication);
    const nowMs = this.#parts.begin();
    const wrong = checkOpId(opId, nowMs);
    if (wrong !== undefined) throw wrong;
    if (!retained) {
      const passing = { target, payload, after: this.#parts.log.head };
      for (const tell of [...this.#listeners]) tell(passing);
      return { outcome: "ok", version: 0, revision: 0, existed: false };
    }
    const print = publicationPrint(publication);
    const known = this.#parts.verdicts.recall(opId, print) as Verdict | undefined;
    if (known !== undefined) return known;
    const revision =
      "key" in target
        ? this.#parts.log.append("publish", target.key, payload)
        : this.#parts.log.append("publishPrefix", target.prefix, payload);
    const verdict = { outcome: "ok", version: 0, revision, existed: false } as const;
    this.#parts.verdicts.keep(opId, { print, verdict, part: false }, nowMs);
    this.#parts.feed.tell();
    return verdict;
  }
}

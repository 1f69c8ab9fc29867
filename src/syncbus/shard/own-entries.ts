import type { Position } from "../../protocol/position.ts";
import type { Change, Mutation } from "../../protocol/shard-api.ts";

/**
 * Which log entries are this node's own publications. The log does not say whose an entry is, and an entry may be pushed before the reply that
 * names its revision: entries that could be an own one wait until that is known.
 */
export class OwnEntries {
  readonly #sending = new Map<string, Set<Promise<unknown>>>();
  readonly #own = new Map<number, { readonly epoch: string; readonly revisions: Set<number> }>();

  /** These are on their way until `work` settles. */
  sending(mutations: readonly Mutation[], work: Promise<unknown>): void {
    const names = new Set(mutations.map(nameOfMutation));
    for (const name of names) {
      const works = this.#sending.get(name) ?? new Set();
      this.#sending.set(name, works.add(work));
    }
    const end = (): void => {
      for (const name of names) {
        const works = this.#sending.get(name);
        works?.delete(work);
        if (works?.size === 0) this.#sending.delete(name);
      }
    };
    work.then(end, end);
  }

  /** This entry is an own one. */
  note({ shard, epoch }: Position, revision: number): void {
    let own = this.#own.get(shard);
    if (own === undefined || own.epoch !== epoch) {
      own = { epoch, revisions: new Set() };
      this.#own.set(shard, own);
    }
    own.revisions.add(revision);
  }

  /** What must settle before it can be told whose these are; undefined: nothing. */
  waitFor(changes: readonly Change[]): Promise<unknown> | undefined {
    const works = new Set<Promise<unknown>>();
    for (const change of changes) {
      for (const work of this.#sending.get(nameOf(change.kind, change.key)) ?? []) works.add(work);
    }
    return works.size === 0 ? undefined : Promise.allSettled(works);
  }

  /** The entries that others wrote. What is known of entries up to the last of them is forgotten. */
  others(shard: number, epoch: string, changes: readonly Change[]): readonly Change[] {
    const own = this.#own.get(shard);
    if (own === undefined || own.epoch !== epoch) return changes;
    const others = changes.filter(({ revision }) => !own.revisions.has(revision));
    const upTo = changes.at(-1)?.revision ?? 0;
    for (const revision of own.revisions) if (revision <= upTo) own.revisions.delete(revision);
    return others;
  }

  clear(): void {
    this.#own.clear();
  }
}

function nameOfMutation(mutation: Mutation): string {
  if (mutation.kind === "invalidatePrefix") return nameOf(mutation.kind, mutation.prefix);
  return nameOf(mutation.kind, mutation.kind === "invalidateTag" ? mutation.tag : mutation.key);
}

function nameOf(kind: string, target: string): string {
  return `${kind} ${target}`;
}

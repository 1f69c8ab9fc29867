import type { WatchTarget } from "../../../protocol/watch.ts";
import { maxPresenceMembers } from "../../../runtime/limits.ts";

/** What of presence has changed: a member of a target shows something else, or (null) has left. */
export interface PresenceChange {
  /** See {@link targetName}. */
  readonly target: string;
  readonly member: string;
  readonly data: unknown;
}

/** Told of each change, and where it comes from. */
export type PresenceListener = (change: PresenceChange, source: string) => void;

/** The name of a target here: no key is taken for a prefix. */
export function targetName(target: WatchTarget): string {
  return "key" in target ? `k${target.key}` : `p${target.prefix}`;
}

/** Where the members of this object's own sessions come from. */
export const ownSource = "";

interface Shown {
  readonly data: unknown;
  readonly source: string;
}

/**
 * Who is shown where: the members of the object's own sessions, and those of others (of its relays, or of its shard), each told by its source. In memory only: sessions
 * that stay bring theirs again after a wake-up, and sources theirs.
 */
export class PresenceBoard {
  readonly #targets = new Map<string, Map<string, Shown>>();
  readonly #listeners = new Set<PresenceListener>();
  #size = 0;

  /** Members of all targets. */
  get size(): number {
    return this.#size;
  }

  /** Is told of each change from now on, until the answer is called. */
  listen(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Carries out a change and tells it; gives whether there was room for it. A member that had left is told to leave again. */
  set(change: PresenceChange, source: string = ownSource): boolean {
    if (!this.put(change, source)) return false;
    for (const listener of this.#listeners) listener(change, source);
    return true;
  }

  /** Carries out a change without a word: it was told before this instance began. */
  put({ target, member, data }: PresenceChange, source: string = ownSource): boolean {
    const members = this.#targets.get(target) ?? new Map<string, Shown>();
    if (data === null) {
      if (members.delete(member)) this.#size--;
      if (members.size === 0) this.#targets.delete(target);
      return true;
    }
    if (!members.has(member)) {
      if (this.#size >= maxPresenceMembers) return false;
      this.#size++;
    }
    members.set(member, { data, source });
    this.#targets.set(target, members);
    return true;
  }

  /** How many are shown at a target. */
  count(target: string): number {
    return this.#targets.get(target)?.size ?? 0;
  }

  /** Who is shown at a target. */
  *members(target: string): Generator<readonly [member: string, data: unknown]> {
    for (const [member, { data }] of this.#targets.get(target) ?? []) yield [member, data];
  }

  /** All there are but those of one source: what that source does not know by itself. */
  *others(source: string): Generator<PresenceChange> {
    for (const [target, members] of this.#targets) {
      for (const [member, shown] of members) {
        if (shown.source !== source) yield { target, member, data: shown.data };
      }
    }
  }

  /** `changes` are all that there is of a source: what it had before has left. None: the source itself has gone. */
  replace(source: string, changes: readonly PresenceChange[] = []): void {
    const stays = new Set(changes.map(({ target, member }) => `${target}\n${member}`));
    for (const [target, members] of [...this.#targets]) {
      for (const [member, shown] of [...members]) {
        if (shown.source === source && !stays.has(`${target}\n${member}`)) {
          this.set({ target, member, data: null }, source);
        }
      }
    }
    for (const change of changes) this.set(change, source);
  }
}

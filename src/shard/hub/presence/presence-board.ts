import type { PresenceChange, RelayPresence } from "../../../protocol/presence.ts";
import type { WatchTarget } from "../../../protocol/watch.ts";
import { maxPresenceMembers } from "../../../runtime/limits.ts";

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
  #isUsed = false;
  #used: (isFirst: boolean) => void = () => {};
  #wake: () => void = () => {};

  /** Calls this before it is asked, or told by others: then its own members must be on it. */
  whenAsked(wake: () => void): void {
    this.#wake = wake;
  }

  /** Whether anybody has come who wants to know or to be known. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** Somebody has come who does. */
  use(): void {
    const isFirst = !this.#isUsed;
    this.#isUsed = true;
    this.#used(isFirst);
  }

  /** Calls this whenever somebody has come. */
  whenUsed(used: (isFirst: boolean) => void): void {
    this.#used = used;
  }

  /** Is told of each change from now on, until the answer is called. */
  listen(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Carries out a change and tells it; gives whether there was room for it. A member that had left is told to leave again. */
  set(change: PresenceChange, source: string = ownSource): boolean {
    this.#wake();
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
    this.#wake();
    for (const [target, members] of this.#targets) {
      for (const [member, shown] of members) {
        if (shown.source !== source) yield { target, member, data: shown.data };
      }
    }
  }

  /** What a source tells. */
  take({ all, changes }: RelayPresence, source: string): void {
    if (all) this.replace(source, changes);
    else for (const change of changes) this.set(change, source);
  }

  /** `changes` are all that there is of a source: what it had before has left. None: the source itself has gone. */
  replace(source: string, changes: readonly PresenceChange[] = []): void {
    this.#wake();
    const named = new Map(changes.map((change) => [`${change.target}\n${change.member}`, change]));
    for (const [target, members] of [...this.#targets]) {
      for (const [member, shown] of [...members]) {
        if (shown.source !== source) continue;
        const name = `${target}\n${member}`;
        const { data = null } = named.get(name) ?? {};
        // Most are told again as they are.
        if (JSON.stringify(data) !== JSON.stringify(shown.data)) this.set({ target, member, data }, source);
        named.delete(name);
      }
    }
    for (const change of named.values()) this.set(change, source);
  }
}

import type { PresenceChange, RelayPresence } from "../../../protocol/presence.ts";
import { maxPresenceChanges } from "../../../runtime/limits.ts";

/** What another object is to be told of who is there: of each member the newest, or all anew. */
export class PresenceQueue {
  readonly #all: () => Iterable<PresenceChange>;
  readonly #waiting = new Map<string, PresenceChange>();
  #isAnew = true;

  /** `all`: what it is told where it knows nothing, as at the beginning. */
  constructor(all: () => Iterable<PresenceChange>) {
    this.#all = all;
  }

  add(change: PresenceChange): void {
    const name = `${change.target}\n${change.member}`;
    if (!this.#isAnew) this.#waiting.set(name, change);
    // Who is there is told in any case, but who has left is in no list. Nor may it ever be asked for.
    else if (change.data !== null) this.#waiting.delete(name);
    else if (this.#waiting.size < maxPresenceChanges) this.#waiting.set(name, change);
  }

  /** Nobody knows what it knows. `lost`: what it may not have been told. */
  restart(lost: readonly PresenceChange[] = []): void {
    this.#isAnew = true;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const change of [...lost, ...waiting]) this.add(change);
  }

  get isEmpty(): boolean {
    return !this.#isAnew && this.#waiting.size === 0;
  }

  /** The next piece, which counts as told: undefined: there is nothing to be told. */
  take(): RelayPresence | undefined {
    if (this.isEmpty) return undefined;
    const isAnew = this.#isAnew;
    this.#isAnew = false;
    if (isAnew) for (const change of this.#all()) this.add(change);
    const changes: PresenceChange[] = [];
    for (const [name, change] of this.#waiting) {
      if (changes.length >= maxPresenceChanges) break;
      changes.push(change);
      this.#waiting.delete(name);
    }
    return isAnew ? { all: true, changes } : { changes };
  }
}

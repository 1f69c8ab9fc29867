/** A place in the queues of all that one write claims. */
export class Turn {
  /** Settles when it is the first in each of them. */
  readonly comes: Promise<void>;
  readonly names = new Set<string>();
  /** In how many queues others stand before it. */
  behind = 0;
  #come: () => void = () => {};

  constructor() {
    this.comes = new Promise((resolve) => {
      this.#come = resolve;
    });
  }

  come(): void {
    this.#come();
  }
}

/**
 * Keys and op ids that strong writes have to themselves, first come, first served. A write enters all its queues in one stretch, so who
 * waits for whom follows the order of arrival and no two ever wait for each other.
 */
export class Claims {
  readonly #queues = new Map<string, Turn[]>();

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  /** Whether anyone has or awaits it. */
  has(name: string): boolean {
    return this.#queues.has(name);
  }

  /** Joins the queue of each name. */
  enter(names: Iterable<string>): Turn {
    const turn = new Turn();
    for (const name of names) {
      if (turn.names.has(name)) continue;
      turn.names.add(name);
      const queue = this.#queues.get(name);
      if (queue === undefined) this.#queues.set(name, [turn]);
      else {
        queue.push(turn);
        turn.behind++;
      }
    }
    if (turn.behind === 0) turn.come();
    return turn;
  }

  /** Adds a name that nobody claims to a turn whose time has come; gives whether it is the turn's now. */
  add(turn: Turn, name: string): boolean {
    if (turn.names.has(name)) return true;
    if (this.#queues.has(name)) return false;
    turn.names.add(name);
    this.#queues.set(name, [turn]);
    return true;
  }

  /** Leaves all queues; those behind move up. */
  leave(turn: Turn): void {
    for (const name of turn.names) {
      const queue = this.#queues.get(name) ?? [];
      const at = queue.indexOf(turn);
      queue.splice(at, 1);
      if (queue.length === 0) this.#queues.delete(name);
      const next = at === 0 ? queue[0] : undefined;
      if (next !== undefined && --next.behind === 0) next.come();
    }
  }
}

import { type BatchItem, newOpId, Problem, type SpaceHttp, type Verdict } from "../support/http-client.ts";
import type { Seeded } from "../support/seeded.ts";

/** One mutation as it was asked for. */
interface Asked {
  readonly key: string;
  readonly opId: string;
  /** Undefined: a delete. */
  readonly text: string | undefined;
}

/** A mutation that was acknowledged. */
export interface Acked extends Asked {
  readonly version: number;
}

/** What one key should be. */
export interface KeyState {
  /** The last acknowledged mutation; undefined: never written. */
  acked: Acked | undefined;
  /** The mutation under way or of unknown fate: it may have happened. */
  pending: Asked | undefined;
}

/**
 * One client with keys of its own, which it changes one step after the other: so each key's history is a line, and after a crash at most
 * its last step is of unknown fate.
 */
export class CrashWriter {
  readonly keys = new Map<string, KeyState>();
  /** Every acknowledged mutation, in order. */
  readonly history: Acked[] = [];
  readonly #random: Seeded;
  #steps = 0;

  constructor(name: string, keys: number, random: Seeded) {
    this.#random = random;
    for (let index = 0; index < keys; index++) {
      this.keys.set(`${name}:${index}`, { acked: undefined, pending: undefined });
    }
  }

  /** Writes until `stopped`, or until the connection breaks; gives whether it broke. */
  async run(space: SpaceHttp, stopped: () => boolean): Promise<boolean> {
    while (!stopped()) {
      const asked = this.#next();
      for (const one of asked) this.#state(one.key).pending = one;
      try {
        await this.#send(space, asked);
      } catch (error) {
        // An answer that says "no effect" would be one; a broken connection, or "unknown", leaves the fate open.
        if (error instanceof Problem && error.outcome !== "unknown") throw error;
        return true;
      }
    }
    return false;
  }

  /** Repeats what is of unknown fate with its own op id. */
  async resolve(space: SpaceHttp): Promise<number> {
    const open = [...this.keys.values()].flatMap(({ pending }) => (pending === undefined ? [] : [pending]));
    for (const one of open) {
      const verdict =
        one.text === undefined
          ? await space.delete(one.key, one.opId)
          : await space.put(one.key, one.text, one.opId);
      this.#acknowledge(one, verdict);
    }
    return open.length;
  }

  /** Mostly puts, some deletes, some batches of four. */
  #next(): readonly Asked[] {
    const names = [...this.keys.keys()];
    const dice = this.#random.below(10);
    const count = dice === 0 ? 4 : 1;
    const start = this.#random.below(names.length);
    return Array.from({ length: count }, (_, index) => {
      const key = names[(start + index) % names.length] ?? "";
      const text = dice === 1 || (count > 1 && index === 3) ? undefined : `${key}/${this.#steps++}`;
      return { key, opId: newOpId(), text };
    });
  }

  async #send(space: SpaceHttp, asked: readonly Asked[]): Promise<void> {
    const [first] = asked;
    if (first === undefined) return;
    if (asked.length === 1) {
      const { key, opId, text } = first;
      this.#acknowledge(
        first,
        text === undefined ? await space.delete(key, opId) : await space.put(key, text, opId),
      );
      return;
    }
    const verdicts = await space.batch(asked.map(itemOf));
    for (const [index, one] of asked.entries()) {
      const verdict = verdicts[index];
      if (verdict === undefined) throw new Error("fewer verdicts than operations");
      if (!(verdict instanceof Problem)) this.#acknowledge(one, verdict);
      else if (verdict.outcome !== "unknown") throw verdict;
    }
  }

  #acknowledge(asked: Asked, { version }: Verdict): void {
    const state = this.#state(asked.key);
    state.acked = { ...asked, version };
    state.pending = undefined;
    this.history.push(state.acked);
  }

  #state(key: string): KeyState {
    const state = this.keys.get(key);
    if (state === undefined) throw new Error(`not a key of this client: ${key}`);
    return state;
  }
}

/** A mutation as a batch takes it. */
export function itemOf({ key, opId, text }: Asked): BatchItem {
  return text === undefined ? { op: "delete", key, opId } : { op: "set", key, opId, text };
}

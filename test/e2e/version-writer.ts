import { newOpId, Problem, type SpaceHttp, type Verdict } from "../support/http-client.ts";
import type { Seeded } from "../support/seeded.ts";

/** One change of a key, as its writer knows it. */
export interface Change {
  readonly key: string;
  readonly opId: string;
  /** Undefined: a delete. */
  readonly text: string | undefined;
  readonly sentAtMs: number;
  /** Absent for deletes: their verdict names none. */
  version?: number;
  /** When its answer came; absent where the answer was lost and the change repeated with its op id. */
  ackedAtMs?: number;
}

/** A client with keys of its own that remembers every change it made of them, and one key that it shares with others. */
export class VersionWriter {
  /** The acknowledged changes of each own key, in order. */
  readonly own = new Map<string, Change[]>();
  /** Its acknowledged writes of the shared key. */
  readonly shared: Change[] = [];
  readonly #sharedKey: string;
  readonly #random: Seeded;
  #pending: Change | undefined;
  #steps = 0;

  constructor(name: string, keys: number, sharedKey: string, random: Seeded) {
    this.#sharedKey = sharedKey;
    this.#random = random;
    for (let at = 0; at < keys; at++) this.own.set(`doc:${name}:${at}`, []);
  }

  /** Changes keys until `stopped` or the connection breaks; gives whether it broke. */
  async run(space: SpaceHttp, stopped: () => boolean): Promise<boolean> {
    while (!stopped()) {
      const change = this.#next();
      this.#pending = change;
      try {
        const verdict = await send(space, change);
        this.#acknowledge({ ...change, ackedAtMs: Date.now() }, verdict);
      } catch (error) {
        if (error instanceof Problem && error.outcome !== "unknown") throw error;
        return true;
      }
    }
    return false;
  }

  /** Repeats the change of unknown fate, if there is one, with its op id; gives whether there was. */
  async resolve(space: SpaceHttp): Promise<boolean> {
    const open = this.#pending;
    if (open === undefined) return false;
    this.#acknowledge(open, await send(space, open));
    return true;
  }

  #next(): Change {
    const dice = this.#random.below(8);
    const key = dice === 0 ? this.#sharedKey : this.#random.pick([...this.own.keys()]);
    const last = this.own.get(key)?.at(-1);
    const deletes = dice === 1 && last?.text !== undefined;
    const text = deletes ? undefined : `${key}/${this.#steps++}/${this.#random.below(1_000_000)}`;
    return { key, opId: newOpId(), text, sentAtMs: Date.now() };
  }

  #acknowledge(change: Change, { version }: Verdict): void {
    this.#pending = undefined;
    if (change.text !== undefined) change.version = version;
    (this.own.get(change.key) ?? this.shared).push(change);
  }
}

async function send(space: SpaceHttp, { key, text, opId }: Change): Promise<Verdict> {
  return text === undefined ? await space.delete(key, opId) : await space.put(key, text, opId);
}

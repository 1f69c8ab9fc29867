import type { Loaded } from "./loaded.ts";

interface Absence {
  readonly loaded: Loaded;
  readonly untilMs: number;
}

/** What L1 knows not to be there (`negativeTtlMs`, rule CO5). Bounded; the oldest go first. Whatever drops a copy drops these. */
export class Absences {
  readonly #max: number;
  readonly #keys = new Map<string, Absence>();

  constructor(max = 10_000) {
    this.#max = max;
  }

  /** What the load that found `key` absent gave, while it holds. */
  of(key: string, nowMs: number): Loaded | undefined {
    const absence = this.#keys.size === 0 ? undefined : this.#keys.get(key);
    if (absence === undefined) return undefined;
    if (nowMs < absence.untilMs) return absence.loaded;
    this.#keys.delete(key);
    return undefined;
  }

  set(key: string, loaded: Loaded, untilMs: number): void {
    this.#keys.delete(key);
    this.#keys.set(key, { loaded, untilMs });
    if (this.#keys.size <= this.#max) return;
    for (const oldest of this.#keys.keys()) {
      this.#keys.delete(oldest);
      break;
    }
  }

  /** `key` changed at `revision`, or for reasons without one. */
  drop(key: string, revision = Number.POSITIVE_INFINITY): void {
    const absence = this.#keys.size === 0 ? undefined : this.#keys.get(key);
    if (absence !== undefined && absence.loaded.position.revision < revision) this.#keys.delete(key);
  }

  dropWhere(test: (key: string, shard: number) => boolean): void {
    for (const [key, { loaded }] of this.#keys) if (test(key, loaded.position.shard)) this.#keys.delete(key);
  }
}

import { expect } from "vitest";
import type { Seeded } from "../support/seeded.ts";
import type { Change } from "./version-writer.ts";

/** One line of `GET /history`. */
export interface Kept {
  readonly version: number;
  readonly kind: string;
  readonly atMs: number;
}

/** What a read must give; text undefined: nothing is there. `compacted`: the refusal of what lies before the history. */
export interface Expected {
  readonly text: string | undefined;
  /** 0: there is no version. */
  readonly version: number;
  readonly compacted?: true;
}

/** A moment at which a key is read. */
export interface Moment {
  readonly atMs: number;
  readonly kind: string;
  readonly expected: Expected;
}

/** One version of the model: the client's change, with the moment that the history gives it. */
interface Step {
  readonly text: string | undefined;
  readonly version: number;
  readonly atMs: number;
}

/** A version of a history and the change that made it; its kind is the change's. */
interface Placed extends Kept {
  readonly change: Change;
}

/** Between which moments of the clients' clock the history of all keys lies. */
export interface Span {
  /** Just before the space was asked for. */
  readonly askedForAtMs: number;
  /** When its registration had been answered: from here on all is kept. */
  readonly registeredAtMs: number;
  /** After the last answer. */
  readonly endMs: number;
}

/** What a {@link KeyModel} is made of. */
export interface KeyFacts {
  readonly key: string;
  /** Its acknowledged changes: of each client in its order. */
  readonly made: readonly Change[];
  /** One client alone made them: then `made` is the order of its versions, too. */
  readonly alone: boolean;
  /** All that `GET /history` lists, oldest first. */
  readonly history: readonly Kept[];
  readonly span: Span;
  /** Stands before each failure. */
  readonly facts: string;
}

const absent: Expected = { text: undefined, version: 0 };

/**
 * What one key was at any time: made of what clients sent and were answered. The history that it is held against gives it nothing but the moments of
 * the commits, each of which must lie between the client's question and the answer to it.
 */
export class KeyModel {
  readonly key: string;
  readonly steps: readonly Step[];
  readonly #span: Span;
  /** Moments for which the clients alone know what was there: all were at rest, between two changes. */
  readonly #quiet: readonly Moment[];

  /** Fails unless the history is exactly what was made: nothing is missing, nothing is more, each change is in its place. */
  constructor({ key, made, alone, history, span, facts }: KeyFacts) {
    this.key = key;
    this.#span = span;
    const placed = place(made, history);
    const why = `${facts}: ${key}`;
    expect(
      placed.map(({ kind }) => kind),
      `${why}: its history`,
    ).toEqual(history.map(({ kind }) => kind));
    expect(
      made.filter((change) => !placed.some((one) => one.change === change)),
      `${why}: changes that the history has lost`,
    ).toEqual([]);
    for (const [at, { version, atMs, change }] of placed.entries()) {
      const where = `${why}: version ${version}`;
      if (alone) expect(change, `${where}: not in its client's order`).toBe(made[at]);
      expect(version, `${where}: versions grow`).toBeGreaterThan(placed[at - 1]?.version ?? 0);
      expect(atMs, `${where}: times don't run backwards`).toBeGreaterThanOrEqual(
        placed[at - 1]?.atMs ?? span.registeredAtMs,
      );
      expect(atMs, `${where}: it came before it was asked for`).toBeGreaterThanOrEqual(change.sentAtMs);
      expect(atMs, `${where}: it came after its answer`).toBeLessThanOrEqual(change.ackedAtMs);
    }
    this.steps = placed.map(({ version, atMs, change: { text } }) => ({ text, version, atMs }));
    this.#quiet = placed.flatMap(({ version, change: { text, ackedAtMs } }, at) => {
      const nextMs = placed[at + 1]?.change.sentAtMs ?? span.endMs;
      const atMs = Math.floor((ackedAtMs + nextMs) / 2);
      const expected = text === undefined ? absent : { text, version };
      return ackedAtMs < nextMs ? [{ atMs, kind: "known by the clients alone", expected }] : [];
    });
  }

  at(atMs: number): Expected {
    if (atMs < this.#span.askedForAtMs) return { ...absent, compacted: true };
    const step = this.steps.findLast((one) => one.atMs <= atMs);
    return step?.text === undefined ? absent : { text: step.text, version: step.version };
  }

  /** A moment, of a kind that is chosen first so that the rare ones come often enough. */
  moment(random: Seeded): Moment {
    const { askedForAtMs, registeredAtMs, endMs } = this.#span;
    const { steps } = this;
    const within = (from: number, end: number): number => from + random.below(Math.max(1, end - from));
    const pick = random.below(steps.length);
    const { atMs = endMs } = steps[pick] ?? {};
    const nextMs = steps[pick + 1]?.atMs ?? endMs;
    const ended = steps.flatMap(({ text }, at) => (text === undefined ? [at] : []));
    const first = steps[0]?.atMs ?? endMs;
    const named = (kind: string, then: number): Moment => ({ kind, atMs: then, expected: this.at(then) });
    switch (random.below(9)) {
      case 0:
        return named("exactly at a version", atMs);
      case 1:
        return named("1 ms before a version", atMs - 1);
      case 2:
        return named("between two versions", within(atMs, nextMs));
      case 3: {
        if (ended.length === 0) break;
        const at = random.pick(ended);
        return named("in a delete", within(steps[at]?.atMs ?? endMs, steps[at + 1]?.atMs ?? endMs));
      }
      case 4:
        return named("after the last version", within(steps.at(-1)?.atMs ?? endMs, endMs));
      case 5:
        return named("before the first version", within(registeredAtMs, first));
      case 6:
        if (random.below(4) > 0) break;
        return named("before the space", askedForAtMs - 1 - random.below(100_000));
      case 7:
        if (this.#quiet.length > 0) return random.pick(this.#quiet);
        break;
    }
    return named("anywhere", within(registeredAtMs, endMs));
  }
}

/**
 * Puts each version of a history to the change that made it: by the number that its answer named. A repeated delete, whose answer named none,
 * takes a version that no other has and that lies in its time; of several that could, the one whose time ends first. Deletes of one key
 * differ in nothing else. Fails for a version that nobody made.
 */
function place(made: readonly Change[], history: readonly Kept[]): Placed[] {
  const named = new Map(made.map((change) => [change.version, change]));
  const unnamed = made
    .filter(({ version }) => version === undefined)
    .sort((one, other) => one.ackedAtMs - other.ackedAtMs);
  return history.map(({ version, atMs, kind }) => {
    let change = named.get(version);
    if (change === undefined) {
      const fits = unnamed.findIndex((one) => one.sentAtMs <= atMs && atMs <= one.ackedAtMs);
      change = fits < 0 ? undefined : unnamed.splice(fits, 1)[0];
    }
    if (change === undefined) throw new Error(`nobody made this: ${JSON.stringify({ version, atMs, kind })}`);
    return { version, atMs, kind: change.text === undefined ? "delete" : "set", change };
  });
}

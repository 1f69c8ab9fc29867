/** How long after a write's answer another isolate may still give the older value: `maxStalenessMs` of the default registration. */
const maxStalenessMs = 5_000;

interface Version {
  readonly version: number;
  readonly text: string;
  /** When the write's answer came. */
  readonly ackedAt: number;
}

/**
 * What reads of one key may see, by the promise of eventual mode: a read that began more than `maxStalenessMs` after a write was
 * answered gives that write's value or a newer one; and at one isolate versions never go back.
 */
export class Expectation {
  readonly #versions: Version[];
  /** By isolate: the newest version that a finished read gave. */
  readonly #seen = new Map<number, number>();
  /** The value on its way; it may be seen before its answer comes. */
  #underWay: string | undefined;

  constructor(version: number, text: string) {
    this.#versions = [{ version, text, ackedAt: Number.NEGATIVE_INFINITY }];
  }

  get writing(): boolean {
    return this.#underWay !== undefined;
  }

  /** The newest version that was acknowledged. */
  get newest(): { readonly version: number; readonly text: string } | undefined {
    return this.#versions.at(-1);
  }

  begin(text: string): void {
    this.#underWay = text;
  }

  acknowledge(version: number, text: string, at: number): void {
    this.#versions.push({ version, text, ackedAt: at });
    this.#underWay = undefined;
  }

  /** To be called when a read begins; gives the check for its end: undefined, or what is wrong. */
  reading(isolate: number, at: number): (version: number, text: string) => string | undefined {
    const seen = this.#seen.get(isolate) ?? 0;
    const settled = this.#versions.findLast(({ ackedAt }) => ackedAt < at - maxStalenessMs);
    const oldest = Math.max(seen, settled?.version ?? 0);
    return (version, text) => {
      if (version < oldest) return `version ${version}, older than ${oldest} which it may not be`;
      const known = this.#versions.find((one) => one.version === version);
      // A version that nobody has heard of yet can only be the write on its way.
      const should = known === undefined ? this.#underWay : known.text;
      if (text !== should) return `version ${version} is ${text}, should be ${should}`;
      this.#seen.set(isolate, Math.max(version, this.#seen.get(isolate) ?? 0));
      return undefined;
    };
  }
}

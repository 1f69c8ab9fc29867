import type { Seeded } from "../seeded.ts";

/**
 * Keys in groups that lie in one shard each. A group is used for a number of operations, then another one takes its place: histories of keys stay
 * short enough to be judged.
 */
export class KeyGroups {
  readonly #random: Seeded;
  readonly #count: number;
  readonly #uses: number;
  readonly #present: { name: string; left: number }[] = [];
  /** All groups so far, in the order of their beginning. */
  readonly names: string[] = [];

  constructor(random: Seeded, options: { readonly groups: number; readonly uses: number }) {
    this.#random = random;
    this.#count = options.groups;
    this.#uses = options.uses;
    for (let at = 0; at < this.#count; at++) this.#present.push(this.#next());
  }

  /** One of the groups that are in use now. */
  pick(): string {
    const at = this.#random.below(this.#count);
    let group = this.#present[at] ?? this.#next();
    if (group.left-- <= 0) {
      group = this.#next();
      this.#present[at] = group;
    }
    return group.name;
  }

  /** Those in use now. */
  get present(): readonly string[] {
    return this.#present.map(({ name }) => name);
  }

  /** The groups that are in use now and those before them. */
  recent(count: number): readonly string[] {
    return this.names.slice(-count);
  }

  #next(): { name: string; left: number } {
    const name = `{g${this.names.length}}`;
    this.names.push(name);
    // Not all of them at once.
    return { name, left: (this.#uses >> 1) + this.#random.below(this.#uses) };
  }
}

/**
 * What kinds of keys a group has. `s1`, `s2`: strong. `n`: a strong counter. `c`: an eventual counter. `e`: eventual. `m`: strong for Node
 * processes, eventual for isolates. `x`: strong, its values end by themselves.
 */
export const families = ["s1", "s2", "n", "c", "e", "m", "x"] as const;
export type Family = (typeof families)[number];

export function keyOf(family: Family, group: string): string {
  return `${family}:${group}`;
}

export function familyOf(key: string): Family {
  return key.slice(0, key.indexOf(":")) as Family;
}

export function keysOf(group: string): readonly string[] {
  return families.map((family) => keyOf(family, group));
}

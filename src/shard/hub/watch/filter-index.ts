import { concerns, type WatchFilter, type WatchKind, type WatchOperation } from "../../../protocol/watch.ts";
import type { EntryHead } from "../../entry-reader.ts";

/** The kinds of entries that watchers hear of, and as what they ask for them. */
const operations: ReadonlyMap<string, WatchOperation> = new Map<WatchKind, WatchOperation>([
  ["set", "set"],
  ["delete", "delete"],
  ["expire", "expire"],
  ["publish", "publish"],
  ["publishPrefix", "publish"],
]);

/** What of an entry decides who hears of it. */
export type Concern = Pick<EntryHead, "kind" | "key">;

/** Finds the filters that want an entry: by its key, and by each length that a prefix has. */
export class FilterIndex {
  readonly #filters: readonly WatchFilter[];
  /** A publication to a prefix goes to every shard; who watches a prefix in all of them shall hear of it once. */
  readonly #isHome: boolean;
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Map<number, Map<string, number[]>>();

  constructor(filters: readonly WatchFilter[], isHome: boolean) {
    this.#filters = filters;
    this.#isHome = isHome;
    filters.forEach(({ target }, at) => {
      if ("key" in target) add(this.#exact, target.key, at);
      else {
        const { length } = target.prefix;
        const known = this.#prefixes.get(length) ?? new Map<string, number[]>();
        this.#prefixes.set(length, known);
        add(known, target.prefix, at);
      }
    });
  }

  /** The places of the filters that want it. */
  wanting({ kind, key }: Concern): readonly number[] {
    const operation = operations.get(kind);
    if (operation === undefined) return [];
    return this.#concerned(kind, key).filter((at) => this.#filters[at]?.ops?.includes(operation) !== false);
  }

  #concerned(kind: string, key: string): number[] {
    if (kind === "publishPrefix") {
      return this.#filters.flatMap(({ target }, at) =>
        concerns(target, key, true) && (this.#isHome || "key" in target) ? [at] : [],
      );
    }
    const found = [...(this.#exact.get(key) ?? [])];
    for (const [length, prefixes] of this.#prefixes) {
      if (length <= key.length) found.push(...(prefixes.get(key.slice(0, length)) ?? []));
    }
    return found;
  }
}

function add(index: Map<string, number[]>, name: string, at: number): void {
  const known = index.get(name);
  if (known === undefined) index.set(name, [at]);
  else known.push(at);
}

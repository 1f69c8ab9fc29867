import type { WatchFilter } from "../../../protocol/watch.ts";
import { type Concern, FilterIndex } from "./filter-index.ts";
import type { WatchPage } from "./watch-page.ts";

/** What a page holds for a set of filters, from a revision on: the entries as text, and up to where they reach. */
export interface Selection {
  readonly to: number;
  readonly texts: readonly string[];
}

/** What a session watches, all in all. Sessions with equal sets are sent the same text. */
export class FilterSet {
  readonly #filters: readonly WatchFilter[];
  readonly #index: FilterIndex;
  /** All that is wanted is told: a page need not be looked through for what is newer. */
  readonly #isPlain: boolean;
  #key: string | undefined;

  constructor(filters: readonly WatchFilter[], isHome: boolean) {
    this.#filters = filters;
    this.#isPlain = filters.every(({ mode }) => mode === "all");
    this.#index = new FilterIndex(filters, isHome);
  }

  /** Equal for equal sets. Made for those alone that are compared: it is as large as all that is watched. */
  get key(): string {
    this.#key ??= this.#filters.map(keyOf).sort().join();
    return this.#key;
  }

  get isEmpty(): boolean {
    return this.#filters.length === 0;
  }

  wants(concern: Concern): boolean {
    return this.#index.wanting(concern).length > 0;
  }

  /**
   * The entries of `page` after revision `from` that somebody wants (and `within` lets pass): once each, and with their values if anybody
   * wants those. Where only the newest of a key is wanted, those before it are left out. It ends between two revisions, once it is large enough for a frame.
   */
  select(page: WatchPage, from: number, within: (concern: Concern) => boolean = () => true): Selection {
    const { entries } = page;
    const chosen = this.#isPlain ? undefined : this.#choose(page, from, within);
    const texts: string[] = [];
    let [length, last] = [0, from];
    for (let at = page.firstBeyond(from); at < entries.length; at++) {
      const entry = entries[at];
      if (entry === undefined) break;
      const { head } = entry;
      const withValue =
        chosen === undefined ? (within(head) && this.wants(head)) || undefined : chosen.get(at);
      if (withValue === undefined) continue;
      const { revision } = head;
      if (length > page.maxBytes && revision !== last) return { to: revision - 1, texts };
      const text = entry.text(withValue);
      texts.push(text);
      length += text.length;
      last = revision;
    }
    return { to: page.to, texts };
  }

  /** Which entries are told, by their places, and whether with their values: what is newer on the page decides. */
  #choose(
    { entries }: WatchPage,
    from: number,
    within: (concern: Concern) => boolean,
  ): ReadonlyMap<number, boolean> {
    const wanted = new Map<number, boolean>();
    const newer = new Set<string>();
    for (let at = entries.length - 1; at >= 0; at--) {
      const head = entries[at]?.head;
      if (head === undefined || head.revision <= from) break;
      if (!within(head)) continue;
      for (const place of this.#index.wanting(head)) {
        const mode = this.#filters[place]?.mode;
        if (mode !== "all") {
          const mark = JSON.stringify([
            place,
            head.kind.startsWith("publish") ? head.kind : "state",
            head.key,
          ]);
          if (newer.has(mark)) continue;
          newer.add(mark);
        }
        wanted.set(at, wanted.get(at) === true || mode !== "keys");
      }
    }
    return wanted;
  }
}

function keyOf({ target, mode, ops }: WatchFilter): string {
  return JSON.stringify([target, mode, ops === undefined ? null : [...ops].sort()]);
}

/** A frame of entries, made of their texts. */
export function eventsFrame(
  id: number | undefined,
  epoch: string,
  after: number,
  { to, texts }: Selection,
): string {
  const of = id === undefined ? "" : `"id":${id},`;
  return `{"t":"we",${of}"epoch":"${epoch}","after":${after},"to":${to},"es":[${texts.join()}]}`;
}

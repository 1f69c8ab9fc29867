import type { WarpError } from "../errors.ts";
import { failure } from "./failure.ts";
import type { StoreEntry, StoreListener } from "./types.ts";

/** What a page is shown, and who is told when that changes. What has not changed is the same object. */
export interface Views<T> {
  get(key: string): StoreEntry<T> | undefined;
  /** All, in the order of the keys. */
  whole(): ReadonlyMap<string, StoreEntry<T>>;
  isWatched(key: string): boolean;
  subscribe(key: string | undefined, listener: StoreListener): () => void;
  /** These keys may look different; undefined: the store does, and with it all of them. */
  changed(keys?: Iterable<string>): void;
}

/** `view` makes an entry anew; `keys` are those that there may be. */
export function viewsOf<T>(
  view: (key: string) => StoreEntry<T> | undefined,
  keys: () => Iterable<string>,
  failed: (error: WarpError, key?: string) => void,
): Views<T> {
  const listeners = new Map<string | undefined, Set<readonly [StoreListener]>>();
  const shown = new Map<string, StoreEntry<T>>();
  let whole: ReadonlyMap<string, StoreEntry<T>> | undefined;

  const get = (key: string): StoreEntry<T> | undefined => {
    const entry = shown.get(key) ?? view(key);
    if (entry) shown.set(key, entry);
    return entry;
  };
  const tell = (key: string | undefined, changed: readonly string[]): void => {
    for (const [listener] of [...(listeners.get(key) ?? [])]) {
      try {
        listener(changed);
      } catch (error) {
        // Its own trouble; the others are told all the same.
        failed(failure(error), key);
      }
    }
  };
  return {
    get,
    whole() {
      if (!whole) {
        const all = new Map<string, StoreEntry<T>>();
        for (const key of [...keys()].sort()) {
          const entry = get(key);
          if (entry) all.set(key, entry);
        }
        whole = all;
      }
      return whole;
    },
    isWatched: (key) => listeners.has(key),
    subscribe(key, listener) {
      // The same function may listen twice.
      const own = [listener] as const;
      const all = listeners.get(key) ?? new Set();
      listeners.set(key, all.add(own));
      return () => {
        if (all.delete(own) && !all.size) listeners.delete(key);
      };
    },
    changed(some) {
      const changed = [...new Set(some ?? [...shown.keys(), ...keys()])].filter((key) => {
        const before = shown.get(key);
        const now = view(key);
        if (before && now && isSame(before, now)) return false;
        shown.delete(key);
        if (now) shown.set(key, now);
        return true;
      });
      if (changed.length) whole = undefined;
      else if (some) return;
      for (const key of changed) tell(key, [key]);
      tell(undefined, changed);
    },
  };
}

function isSame<T>(one: StoreEntry<T>, other: StoreEntry<T>): boolean {
  return (
    one.value === other.value &&
    one.version === other.version &&
    one.stale === other.stale &&
    one.pending === other.pending
  );
}

/** A store in Svelte: entries by the contract of its stores, so that `$card` works. */

import type { StoreEntry, StoreSetOptions, WarpStore } from "warp-edge/store";

/** What Svelte asks of a store: subscribers are called at once, and then with each change. */
export interface Readable<T> {
  subscribe(run: (value: T) => void): () => void;
}

function readable<T, R>(store: WarpStore<T>, key: string | undefined, read: () => R): Readable<R> {
  return {
    subscribe(run) {
      run(read());
      return store.subscribe(key, () => run(read()));
    },
  };
}

/** An entry. Undefined: the key is absent. */
export function entry<T>(store: WarpStore<T>, key: string): Readable<StoreEntry<T> | undefined> {
  return readable(store, key, () => store.get(key));
}

/** All entries, in the order of their keys. */
export function entries<T>(store: WarpStore<T>): Readable<ReadonlyMap<string, StoreEntry<T>>> {
  return readable(store, undefined, () => store.snapshot());
}

/** `live`, `stale`: for a badge. */
export function status<T>(store: WarpStore<T>): Readable<WarpStore<T>["status"]> {
  return readable(store, undefined, () => store.status);
}

/** The value of a key to be bound in a form: `bind:value={$title}`. What is refused goes to `failed`, and the true value is shown again. */
export function value<T>(
  store: WarpStore<T>,
  key: string,
  failed: (error: unknown) => void,
  options?: StoreSetOptions,
): Readable<T | undefined> & { set(value: T): void } {
  return {
    ...readable(store, key, () => store.get(key)?.value),
    set(next) {
      store.set(key, next, options).catch(failed);
    },
  };
}

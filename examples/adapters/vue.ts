/** A store in Vue: entries as refs. `shallowRef` and `onScopeDispose` are Vue's own, passed in, so that this file depends on no version of it. */

import type { StoreEntry, WarpStore } from "warp-edge/store";

/** A `ShallowRef` of Vue. */
export interface Ref<T> {
  value: T;
}

/** What is used of Vue: `import { onScopeDispose, shallowRef } from "vue"`. */
export interface VueParts {
  shallowRef<T>(value: T): Ref<T>;
  onScopeDispose(dispose: () => void): void;
}

/** Composables of one store: `const { useEntry, useEntries, useStatus } = storeComposables(store, Vue)`. Refs end with the component or scope in which they were made. */
export function storeComposables<T>(store: WarpStore<T>, { shallowRef, onScopeDispose }: VueParts) {
  const follow = <R>(key: string | undefined, read: () => R): Readonly<Ref<R>> => {
    const ref = shallowRef(read());
    onScopeDispose(
      store.subscribe(key, () => {
        ref.value = read();
      }),
    );
    return ref;
  };
  return {
    useEntry: (key: string): Readonly<Ref<StoreEntry<T> | undefined>> => follow(key, () => store.get(key)),
    /** All entries, in the order of their keys. */
    useEntries: (): Readonly<Ref<ReadonlyMap<string, StoreEntry<T>>>> =>
      follow(undefined, () => store.snapshot()),
    /** `live`, `stale`: for a badge. */
    useStatus: (): Readonly<Ref<WarpStore<T>["status"]>> => follow(undefined, () => store.status),
  };
}

/** A store in React: entries as hooks. `useSyncExternalStore` and `useCallback` are React's own, passed in, so that this file depends on no version of it. */

import type { StoreEntry, WarpStore } from "warp-edge/store";

/** What is used of React: `import { useCallback, useSyncExternalStore } from "react"`. */
export interface ReactHooks {
  useCallback<F>(callback: F, dependencies: readonly unknown[]): F;
  useSyncExternalStore<S>(
    subscribe: (changed: () => void) => () => void,
    getSnapshot: () => S,
    getServerSnapshot?: () => S,
  ): S;
}

const nothing: ReadonlyMap<string, never> = new Map<string, never>();

/** Hooks of one store: `const { useEntry, useEntries, useStatus } = storeHooks(store, React)`. */
export function storeHooks<T>(store: WarpStore<T>, { useCallback, useSyncExternalStore }: ReactHooks) {
  // An entry and the map of all are the same objects until something in them changes, as React asks of snapshots.
  const subscribeAll = (changed: () => void): (() => void) => store.subscribe(undefined, changed);
  return {
    /** An entry; the component is rendered again when it changes, and for no other key. */
    useEntry(key: string): StoreEntry<T> | undefined {
      const subscribe = useCallback((changed: () => void) => store.subscribe(key, changed), [key]);
      return useSyncExternalStore(
        subscribe,
        () => store.get(key),
        () => undefined,
      );
    },
    /** All entries, in the order of their keys. */
    useEntries(): ReadonlyMap<string, StoreEntry<T>> {
      return useSyncExternalStore(
        subscribeAll,
        () => store.snapshot(),
        () => nothing,
      );
    },
    /** `live`, `stale`: for a badge. */
    useStatus(): WarpStore<T>["status"] {
      return useSyncExternalStore(
        subscribeAll,
        () => store.status,
        () => "idle",
      );
    },
  };
}

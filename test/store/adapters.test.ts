import { describe, expect, test } from "vitest";
import { type ReactHooks, storeHooks } from "../../examples/adapters/react.ts";
import { entries, entry, status, value } from "../../examples/adapters/svelte.ts";
import { type Ref, storeComposables } from "../../examples/adapters/vue.ts";
import { StoreBed } from "./bed.ts";

/** What React promises of its hooks, and what it asks of those who use them: a component that is rendered again when a snapshot changes. */
class Component<R> {
  readonly rendered: R[] = [];
  readonly #render: (hooks: ReactHooks) => R;
  readonly #memo: { readonly callback: unknown; readonly dependencies: readonly unknown[] }[] = [];
  readonly #stores: { subscribe: unknown; snapshot: unknown; off: () => void }[] = [];

  constructor(render: (hooks: ReactHooks) => R) {
    this.#render = render;
    this.render();
  }

  render(): void {
    let memoAt = 0;
    let storeAt = 0;
    const useCallback: ReactHooks["useCallback"] = (callback, dependencies) => {
      const at = memoAt++;
      const known = this.#memo[at];
      if (known?.dependencies.every((one, n) => Object.is(one, dependencies[n]))) {
        return known.callback as typeof callback;
      }
      this.#memo[at] = { callback, dependencies };
      return callback;
    };
    const useSyncExternalStore: ReactHooks["useSyncExternalStore"] = (subscribe, getSnapshot) => {
      const at = storeAt++;
      const snapshot = getSnapshot();
      if (!Object.is(snapshot, getSnapshot())) throw new Error("the result of getSnapshot should be cached");
      const known = this.#stores[at];
      if (known?.subscribe !== subscribe) {
        known?.off();
        const off = subscribe(() => {
          const now = getSnapshot();
          if (!Object.is(this.#stores[at]?.snapshot, now)) this.render();
        });
        this.#stores[at] = { subscribe, snapshot, off };
      } else known.snapshot = snapshot;
      return snapshot;
    };
    this.rendered.push(this.#render({ useCallback, useSyncExternalStore }));
  }

  get subscriptions(): number {
    return new Set(this.#stores.map(({ subscribe }) => subscribe)).size;
  }

  unmount(): void {
    for (const { off } of this.#stores) off();
  }
}

async function live() {
  const bed = new StoreBed();
  bed.space.write("card:a", "1");
  bed.space.write("card:b", "1");
  const page = await bed.live();
  return { bed, ...page };
}

describe("the React adapter", () => {
  test("a component is rendered for its key alone, with stable snapshots, and not after it is gone", async () => {
    const { bed, store, client } = await live();
    const component = new Component((hooks) => storeHooks(store, hooks).useEntry("card:a")?.value);
    expect(component.rendered).toEqual(["1"]);
    bed.space.write("card:b", "2");
    await bed.clock.settle();
    expect(component.rendered).toEqual(["1"]);
    bed.space.write("card:a", "2");
    await bed.clock.settle();
    expect(component.rendered).toEqual(["1", "2"]);
    client.go(false);
    expect(component.rendered).toEqual(["1", "2", "2"]);
    component.unmount();
    client.go(true);
    bed.space.write("card:a", "3");
    await bed.clock.settle();
    expect(component.rendered).toHaveLength(3);
  });

  test("all entries and the status, an optimistic write among them", async () => {
    const { bed, store, client } = await live();
    const component = new Component((hooks) => {
      const { useEntries, useStatus } = storeHooks(store, hooks);
      return `${useStatus()} ${[...useEntries()].map(([key, { pending }]) => `${key}${pending ? "*" : ""}`)}`;
    });
    client.isAuto = false;
    const written = store.set("card:c", "1");
    expect(component.rendered).toEqual(["live card:a,card:b", "live card:a,card:b,card:c*"]);
    client.calls.shift()?.run();
    await written;
    await bed.clock.settle();
    expect(component.rendered.at(-1)).toBe("live card:a,card:b,card:c");
    client.go(false);
    expect(component.rendered.at(-1)).toBe("stale card:a,card:b,card:c");
    component.unmount();
  });

  test("another key takes the place of the first one", async () => {
    const { store } = await live();
    let key = "card:a";
    let told = 0;
    const counted = {
      ...store,
      get: store.get,
      subscribe: (...[of, listener]: Parameters<typeof store.subscribe>) => {
        told++;
        return store.subscribe(of, listener);
      },
    };
    const component = new Component((hooks) => storeHooks(counted, hooks).useEntry(key)?.value);
    component.render();
    expect(told).toBe(1);
    key = "card:none";
    component.render();
    expect(told).toBe(2);
    expect(component.rendered).toEqual(["1", "1", undefined]);
  });
});

describe("the Vue adapter", () => {
  test("refs follow their key until their scope ends", async () => {
    const { bed, store, client } = await live();
    const disposals: (() => void)[] = [];
    let sets = 0;
    const { useEntry, useEntries, useStatus } = storeComposables(store, {
      shallowRef: <T>(first: T): Ref<T> => {
        let now = first;
        return {
          get value() {
            return now;
          },
          set value(next) {
            sets++;
            now = next;
          },
        };
      },
      onScopeDispose: (dispose) => disposals.push(dispose),
    });
    const [a, all, state] = [useEntry("card:a"), useEntries(), useStatus()];
    expect([a.value?.value, all.value.size, state.value]).toEqual(["1", 2, "live"]);
    bed.space.write("card:a", "2");
    await bed.clock.settle();
    expect([a.value?.value, all.value.get("card:a")?.value]).toEqual(["2", "2"]);
    client.go(false);
    expect([a.value?.stale, state.value]).toEqual([true, "stale"]);
    for (const dispose of disposals) dispose();
    const before = sets;
    client.go(true);
    await bed.clock.settle();
    expect(sets).toBe(before);
  });
});

describe("the Svelte adapter", () => {
  test("a subscriber is called at once and with each change, and no more once it has left", async () => {
    const { bed, store, client } = await live();
    const told: unknown[] = [];
    const off = entry(store, "card:a").subscribe((found) => told.push(found?.value));
    bed.space.write("card:a", "2");
    bed.space.write("card:b", "2");
    await bed.clock.settle();
    off();
    bed.space.write("card:a", "3");
    await bed.clock.settle();
    expect(told).toEqual(["1", "2"]);
    const states: string[] = [];
    status(store).subscribe((found) => states.push(found));
    let size = 0;
    entries(store).subscribe((found) => {
      size = found.size;
    });
    client.go(false);
    expect([size, states.at(0), states.at(-1)]).toEqual([2, "live", "stale"]);
  });

  test("a bound value writes; what is refused is told and taken back", async () => {
    const { bed, store } = await live();
    const failures: unknown[] = [];
    const told: unknown[] = [];
    const bound = value(store, "card:a", (error) => failures.push(error), { ifVersion: 1 });
    bound.subscribe((found) => told.push(found));
    bound.set("mine");
    await bed.clock.settle();
    bound.set("again");
    await bed.clock.settle();
    expect(failures).toEqual([expect.objectContaining({ code: "precondition_failed" })]);
    expect(store.get("card:a")?.value).toBe("mine");
    expect(told.at(-1)).toBe("mine");
  });
});

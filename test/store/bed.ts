import type { WarpError } from "../../src/errors.ts";
import { openStore } from "../../src/store/store.ts";
import type { StoreOptions, WarpStore } from "../../src/store/types.ts";
import { SpaceClient } from "../support/store-client.ts";
import { StoreSpace } from "../support/store-space.ts";
import { type VirtualClock, virtualClock } from "../support/virtual-clock.ts";

/** A page's end: what its store shows and has told. */
export interface Page {
  readonly store: WarpStore;
  readonly client: SpaceClient;
  /** What nobody waited for, as `code key`. */
  readonly errors: string[];
  signal(signal: string): void;
}

/** A space and the pages that show it. */
export class StoreBed {
  readonly clock: VirtualClock = virtualClock();
  readonly space: StoreSpace;

  constructor(shards = 1) {
    this.space = new StoreSpace(shards);
  }

  page(options: Partial<StoreOptions> = {}): Page {
    const client = new SpaceClient(this.space);
    const errors: string[] = [];
    const listeners = new Set<(signal: string) => void>();
    const store = openStore(
      {
        ...{ client, prefix: "card:" },
        onError: (error: WarpError, key?: string) =>
          errors.push(`${error.code}${key === undefined ? "" : ` ${key}`}`),
        ...options,
      },
      {
        ...{ clock: this.clock, timers: this.clock },
        signals: {
          listen: (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
        },
      },
    );
    const signal = (given: string): void => {
      for (const listener of listeners) listener(given);
    };
    return { store, client, errors, signal };
  }

  /** A page whose store is live. */
  async live(options: Partial<StoreOptions> & { readonly session?: string } = {}): Promise<Page> {
    const { session, ...rest } = options;
    const page = this.page(rest);
    await page.store.init(session === undefined ? {} : { session });
    await this.clock.settle();
    return page;
  }
}

/** What is shown, as `key value@version` with `~` stale and `*` pending. */
export function shown(store: WarpStore): string[] {
  return [...store.snapshot()].map(
    ([key, { value, version, stale, pending }]) =>
      `${key} ${String(value)}@${version}${stale ? "~" : ""}${pending ? "*" : ""}`,
  );
}

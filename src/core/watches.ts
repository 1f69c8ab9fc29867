import { WarpError } from "../errors.ts";
import type { WatchTarget } from "../protocol/watch.ts";
import type { WatchBus, WatchOptions } from "../watchbus/watchbus.ts";
import type { Reading } from "./entry.ts";
import type { Parts } from "./parts.ts";
import { WatchHandle } from "./watch.ts";
import type { WatchCall } from "./watch-types.ts";

/** The watches of a node. */
export class Watches {
  readonly #parts: Parts;
  readonly #driver: () => WatchBus;
  #open = 0;

  /** `driver` throws where there is none. */
  constructor(parts: Parts, driver: () => WatchBus) {
    this.#parts = parts;
    this.#driver = driver;
  }

  /** Watches that are under way. */
  get open(): number {
    return this.#open;
  }

  /** Begins a watch, after `before` has settled. */
  watch<T>(
    target: WatchTarget,
    reading: Reading<T>,
    options: Omit<WatchCall<T>, "codec"> = {},
    before: () => Promise<void> | undefined = () => undefined,
  ): WatchHandle<T> {
    const driver = this.#driver();
    const { onEvent } = options;
    this.#open++;
    const handle = new WatchHandle<T>({
      reading,
      signal: options.signal,
      open: async (signal) => {
        const waiting = before();
        if (waiting !== undefined) await waiting;
        return await driver.watch(target, { ...watchOptions(options), signal });
      },
      ended: () => {
        this.#open--;
        offEnd();
      },
    });
    const offEnd = this.#parts.lifetime.onEnd(() => handle.close());
    if (onEvent !== undefined) this.#parts.background.run(this.#tell(handle, onEvent));
    return handle;
  }

  /** The callback form. What ends the watch is an `error` event: nobody else hears of it. */
  async #tell<T>(handle: WatchHandle<T>, onEvent: NonNullable<WatchCall<T>["onEvent"]>): Promise<void> {
    try {
      for await (const item of handle) {
        try {
          await onEvent(item);
        } catch (error) {
          this.#failed(error);
        }
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#parts.counters.errors++;
    this.#parts.emitter.emit("error", { error });
  }
}

/** Only what the driver takes. */
function watchOptions({ from, mode, ops, presence }: WatchOptions): WatchOptions {
  return {
    ...(from === undefined ? {} : { from }),
    ...(mode === undefined ? {} : { mode }),
    ...(ops === undefined ? {} : { ops }),
    ...(presence === undefined ? {} : { presence }),
  };
}

/** What a scope watches. Throws `invalid_argument` for an id and a prefix at once. */
export function watchTarget(scope: string, id: string | undefined, prefix: string | undefined): WatchTarget {
  if (id === undefined) return { prefix: scope + (prefix ?? "") };
  if (prefix === undefined) return { key: scope + id };
  throw new WarpError("invalid_argument", "a scope watches an id or a prefix, not both", {
    details: { field: "prefix" },
  });
}

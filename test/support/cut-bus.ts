import { WarpError } from "../../src/errors.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { within } from "../../src/runtime/patience.ts";
import type { BusHost } from "../../src/syncbus/bus-end.ts";
import type {
  BusEvent,
  BusInterest,
  BusListener,
  BusSubscription,
  PublishOptions,
  SyncBus,
} from "../../src/syncbus/syncbus.ts";

/** What a way does: `before` and `after`: the connection breaks before, or after, a message has gone over it; `silent`: nothing is answered or told. */
export type Way = "works" | "before" | "after" | "silent";

/** A node's end of a bus over a way that can be cut in both directions. When it works again its listeners are told that they may have missed something. */
export class CutBus {
  readonly bus: SyncBus;
  readonly #host: BusHost;
  readonly #listeners = new Set<{ readonly listener: BusListener }>();
  readonly #tells: boolean;
  #way: Way = "works";
  /** What was not told while the way was cut. */
  #isMissing = false;

  /** `tells`: whether it says so. */
  constructor(host: BusHost, inner: SyncBus, tells = true) {
    this.#tells = tells;
    this.#host = host;
    this.bus = new Proxy(inner, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name === "subscribe") {
          return (
            interest: BusInterest,
            listener: BusListener,
            options?: { readonly signal?: AbortSignal },
          ) => this.#subscribe(target, interest, listener, options);
        }
        if (name === "publish" || name === "publishAndAwait" || name === "publishLeaseEnd") {
          return (...call: unknown[]) =>
            this.#over((call.at(-1) ?? {}) as PublishOptions, () =>
              (member as (...call: unknown[]) => Promise<unknown>).apply(target, call),
            );
        }
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }

  get way(): Way {
    return this.#way;
  }

  set way(way: Way) {
    this.#way = way;
    if (way !== "works" || !this.#isMissing || !this.#tells) return;
    this.#isMissing = false;
    const { clock, random } = this.#host;
    const all: BusEvent = { prefix: "", id: uuidv7(clock, random) };
    for (const { listener } of this.#listeners) void listener([all]);
  }

  async #over<T>(limits: PublishOptions, call: () => Promise<T>): Promise<T> {
    const way = this.#way;
    if (way === "before") throw new WarpError("unavailable", "cut before", { outcome: "unknown" });
    if (way === "silent") return await within(this.#host.timers, limits, new Promise<T>(() => {}));
    const result = call();
    if (way === "works") return await result;
    result.catch(() => undefined);
    throw new WarpError("unavailable", "cut after", { outcome: "unknown" });
  }

  async #subscribe(
    inner: SyncBus,
    interest: BusInterest,
    listener: BusListener,
    options: { readonly signal?: AbortSignal } | undefined,
  ): Promise<BusSubscription> {
    if (this.#way !== "works") throw new WarpError("unavailable", "cut");
    const one = { listener };
    this.#listeners.add(one);
    const subscription = await inner.subscribe(
      interest,
      async (events) => {
        if (this.#way === "works") await listener(events);
        else this.#isMissing = true;
      },
      options,
    );
    return {
      end: async () => {
        this.#listeners.delete(one);
        await subscription.end();
      },
    };
  }
}

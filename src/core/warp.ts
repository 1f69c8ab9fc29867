import type { CallOptions, ListOptions } from "../adapter/adapter.ts";
import type { Leases } from "../lease/lease.ts";
import type { Locks } from "../lock/lock.ts";
import { checkPattern } from "../protocol/key.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import type { SyncBus } from "../syncbus/syncbus.ts";
import type { WatchBus } from "../watchbus/watchbus.ts";
import { callOptions } from "./call.ts";
import { Core } from "./core.ts";
import { KeyScope } from "./key-scope.ts";
import { policyOf, resolveSettings } from "./policy.ts";
import { codecOf, scopeReading } from "./readings.ts";
import { Scope } from "./scope.ts";
import type {
  RegistrationOptions,
  ScopeOptions,
  WarmupOptions,
  WarmupProgress,
  WarpEvents,
  WarpOptions,
  WarpStats,
} from "./types.ts";
import { WantedPolicies } from "./wanted-policies.ts";
import { Warmup } from "./warmup.ts";
import { WarpWatches } from "./warp-watches.ts";

/**
 * One node of Warp: a cache (L1) over a storage. The same class everywhere; presets put it together. `docs/core.md` tells what its
 * answers promise. After {@link close} every call is `warp_closed`.
 */
export class Warp extends WarpWatches {
  readonly #core: Core;
  readonly #sharedAdapter: boolean;
  readonly #bus: SyncBus | undefined;
  readonly #drivers: readonly (Pick<Locks | Leases | WatchBus, "close"> | undefined)[];
  readonly #wanted: WantedPolicies;

  /** Throws what is wrong with the options: `invalid_argument`, `invalid_pattern`, `invalid_registration`, `invalid_ttl`. */
  constructor(options: WarpOptions) {
    const core = new Core(options);
    super(core, options);
    this.#core = core;
    this.#drivers = [options.watches, options.locks, options.leases];
    this.#wanted = new WantedPolicies(this.#core.registry);
    this.#sharedAdapter = options.sharedAdapter ?? false;
    this.#bus = options.bus;
  }

  /**
   * The keys of a pattern with one type of value and one policy: `"user:*"` takes ids, an exact key takes none. A policy is
   * registered at the first use; if the pattern has another one already, that use is `registration_conflict` (here and now if
   * this node knows). Without a policy among the options the scope follows what is registered.
   */
  scope<T>(pattern: `${string}*`, options?: ScopeOptions<T>): Scope<T>;
  scope<T>(pattern: string, options?: ScopeOptions<T>): KeyScope<T>;
  scope<T>(pattern: string, options: ScopeOptions<T> = {}): Scope<T> | KeyScope<T> {
    this.#core.parts.lifetime.check();
    checkPattern(pattern);
    const policy = policyOf(options);
    const settings = policy === undefined ? undefined : resolveSettings(policy);
    if (settings !== undefined) this.#wanted.add(pattern, settings);
    const isPrefix = pattern.endsWith("*");
    const parts = {
      core: this.#core,
      pattern,
      prefix: isPrefix ? pattern.slice(0, -1) : pattern,
      settings,
      reading: scopeReading(codecOf(options), options.schema),
      list: (listOptions: ListOptions) => this.list(listOptions),
      watches: this.watches,
    };
    return isPrefix ? new Scope<T>(parts) : new KeyScope<T>(parts);
  }

  /**
   * Loads into L1 what storage has under the registered patterns, or under those named; tells how far it is. A key that can't be loaded is
   * named and the others go on; a list that fails, or the signal, ends it. Nothing runs until it is iterated over.
   */
  warmup(options: WarmupOptions = {}): AsyncGenerator<WarmupProgress, void, void> {
    const { parts, registry, loader, lives } = this.#core;
    parts.lifetime.check();
    return new Warmup(parts, registry, loader, lives.demand, options).run();
  }

  /** Registers a pattern's policy, or confirms it; another than the present one needs `ifVersion`. */
  async register(
    pattern: string,
    options: RegistrationOptions = {},
    call: CallOptions & { readonly ifVersion?: number } = {},
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    this.#core.parts.lifetime.check();
    const ifVersion = call.ifVersion === undefined ? {} : { ifVersion: call.ifVersion };
    return await this.#core.registry.register(pattern, resolveSettings(options), {
      ...callOptions(call),
      ...ifVersion,
    });
  }

  /** Removes a registration; gives whether there was one. Its keys follow the next shorter pattern, or the default. */
  async unregister(pattern: string, call?: CallOptions): Promise<boolean> {
    this.#core.parts.lifetime.check();
    this.#wanted.delete(pattern);
    return await this.#core.registry.unregister(pattern, call);
  }

  async registration(pattern: string, call?: CallOptions): Promise<StoredRegistration | undefined> {
    this.#core.parts.lifetime.check();
    return await this.#core.registry.get(pattern, call);
  }

  /** All registrations: the static ones first. */
  async registrations(call?: CallOptions): Promise<readonly StoredRegistration[]> {
    this.#core.parts.lifetime.check();
    return await this.#core.registry.list(call);
  }

  /** Listens; the answer ends it. What a listener throws is an `error` event, never the operation's. */
  on<E extends keyof WarpEvents>(event: E, listener: (event: WarpEvents[E]) => void): () => void {
    this.#core.parts.lifetime.check();
    return this.#core.parts.emitter.on(event, listener);
  }

  /** Figures since this node was made; also after {@link close}. */
  stats(): WarpStats {
    const { adjustments, hotKeys } = this.#core.lives.demand;
    return {
      ...this.#core.parts.counters,
      ttlAdjustments: adjustments,
      hotKeys,
      watches: this.watches.open,
      cache: this.#core.parts.cache.stats(),
    };
  }

  /** Ends this node: who waits gets `warp_closed`, L1 is emptied, watches end, the bus, locks and leases are closed, the adapter too unless it is shared. Idempotent. */
  async close(): Promise<void> {
    const { lifetime, emitter, cache, adapter } = this.#core.parts;
    if (lifetime.closed) return;
    lifetime.end();
    emitter.clear();
    await cache.clear();
    await this.#bus?.close();
    for (const driver of this.#drivers) await driver?.close();
    if (!this.#sharedAdapter) await adapter.close();
  }
}

import type { CallOptions, ListOptions } from "../adapter/adapter.ts";
import { checkPattern } from "../protocol/key.ts";
import { joinBus } from "./bus-link.ts";
import { Core } from "./core.ts";
import { KeyScope } from "./key-scope.ts";
import { policyOf, resolveSettings } from "./policy.ts";
import { codecOf, readingOf, scopeReading } from "./readings.ts";
import { Scope } from "./scope.ts";
import { type GetOrSetOptions, type Source, Sourcing } from "./sourcing.ts";
import type { ScopeOptions, WarpOptions, WarpStats } from "./types.ts";
import { WantedPolicies } from "./wanted-policies.ts";
import { WarpWatches } from "./warp-watches.ts";

/**
 * One node of Warp: a cache (L1) over a storage. The same class everywhere; presets put it together. `docs/core.md` tells what its
 * answers promise. After {@link close} every call is `warp_closed`.
 */
export class Warp extends WarpWatches {
  readonly #core: Core;
  readonly #sourcing: Sourcing;
  readonly #wanted: WantedPolicies;

  /** Throws what is wrong with the options: `invalid_argument`, `invalid_pattern`, `invalid_registration`, `invalid_ttl`. */
  constructor(options: WarpOptions) {
    const core = new Core(options, joinBus);
    super(core, options);
    this.#core = core;
    this.#sourcing = new Sourcing(core);
    this.#wanted = new WantedPolicies(core.registry);
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
      sourcing: this.#sourcing,
      publications: this.publications,
    };
    return isPrefix ? new Scope<T>(parts) : new KeyScope<T>(parts);
  }

  /**
   * The value, or what `source` gives where there is none: one run per key at a time on this node, its result or its very error
   * shared. What it gives is stored only if the key is still absent; else the stored value is given. `undefined` is given on
   * and not stored. `timeoutMs` bounds the wait of this caller, not the run.
   */
  async getOrSet<T>(key: string, source: () => T | Promise<T>, options?: GetOrSetOptions<T>): Promise<T>;
  async getOrSet<T>(key: string, source: Source<T>, options?: GetOrSetOptions<T>): Promise<T | undefined>;
  async getOrSet<T>(key: string, source: Source<T>, options?: GetOrSetOptions<T>): Promise<T | undefined> {
    return await this.#sourcing.getOrSet(key, source, readingOf(options), options);
  }

  override async unregister(pattern: string, call?: CallOptions): Promise<boolean> {
    this.#wanted.delete(pattern);
    return await super.unregister(pattern, call);
  }

  override stats(): WarpStats {
    return { ...super.stats(), watches: this.watches.open };
  }
}

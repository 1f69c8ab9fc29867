import type { CallOptions } from "../adapter/adapter.ts";
import type { Leases } from "../lease/lease.ts";
import type { Locks } from "../lock/lock.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import type { WatchTarget } from "../protocol/watch.ts";
import type { SyncBus } from "../syncbus/syncbus.ts";
import type { WatchBus } from "../watchbus/watchbus.ts";
import { callOptions } from "./call.ts";
import type { Core } from "./core.ts";
import { type Directories, drivers, type OfDriver } from "./drivers.ts";
import { withOwnRevokes } from "./own-revokes.ts";
import { resolveSettings } from "./policy.ts";
import { Publications } from "./publications.ts";
import { readingOf } from "./readings.ts";
import type {
  RegistrationOptions,
  WarmupOptions,
  WarmupProgress,
  WarpEvents,
  WarpOptions,
  WarpStats,
} from "./types.ts";
import { Warmup } from "./warmup.ts";
import { WarpWrites } from "./warp-writes.ts";
import type { PublishCall, Published } from "./watch-types.ts";

/**
 * A node without what lives in its process: sources, scopes, watches, and handles of locks and leases. All that HTTP calls, so all that the default Worker carries; `Warp` has the rest.
 */
export class WarpNode extends WarpWrites {
  /** Locks and elections of the space. */
  readonly locks: OfDriver<Locks>;
  /** Leases of the space. */
  readonly leases: OfDriver<Leases>;
  readonly #core: Core;
  readonly #publications: Publications;
  readonly #sharedAdapter: boolean;
  readonly #bus: SyncBus | undefined;
  readonly #drivers: readonly (Pick<Locks | Leases | WatchBus, "close"> | undefined)[];

  /** `core`: made of the same options. `directories`: what `locks` and `leases` are. */
  constructor(core: Core, options: WarpOptions, directories: Directories = drivers) {
    super(core);
    const { locks, leases, watches, bus, sharedAdapter = false } = options;
    this.#core = core;
    this.locks = directories.locks(core.parts, locks);
    this.leases = directories.leases(core.parts, leases && withOwnRevokes(leases, core.follower, core.parts));
    this.#publications = new Publications(core.parts, watches);
    this.#drivers = [watches, locks, leases];
    this.#sharedAdapter = sharedAdapter;
    this.#bus = bus;
  }

  /** For watches and scopes. */
  protected get publications(): Publications {
    return this.#publications;
  }

  /**
   * Tells a value, at most 64 KiB as bytes, to those who watch a key, or to whom a prefix concerns: those whose key or prefix begins with it, and those whose prefix begins it. Nothing is
   * stored. Throws `invalid_key`, `value_too_large`, `encode_failed`, `invalid_op_id`, `op_id_reused`.
   */
  async publish<T = unknown>(target: WatchTarget, value: T, options?: PublishCall<T>): Promise<Published> {
    return await this.#publications.publish(target, value, readingOf(options), options);
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
      watches: 0,
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

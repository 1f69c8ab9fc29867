import { maxTimeoutMs } from "../runtime/limits.ts";
import { steadyClock } from "../runtime/steady-clock.ts";
import { Alignment } from "./alignment.ts";
import type { BusLink } from "./bus-link.ts";
import { Conditions } from "./conditions.ts";
import { Emitter } from "./emitter.ts";
import { Follower } from "./follower.ts";
import { Invalidations } from "./invalidations.ts";
import { L1 } from "./l1.ts";
import { Lifetime } from "./lifetime.ts";
import { Lives } from "./lives.ts";
import { Loader } from "./loader.ts";
import { Moments } from "./moment.ts";
import { Mutations } from "./mutations.ts";
import { Outcomes } from "./outcomes.ts";
import { newCounters, type Parts } from "./parts.ts";
import { checkRange } from "./policy.ts";
import { PushIntake } from "./push-intake.ts";
import { Reader } from "./reader.ts";
import { Refresher } from "./refresher.ts";
import { Registry } from "./registry.ts";
import { SecondTier } from "./second-tier.ts";
import { Tenures } from "./tenures.ts";
import { Transactions } from "./transactions.ts";
import type { WarpOptions } from "./types.ts";
import { Versions } from "./versions.ts";
import { Writer } from "./writer.ts";

/** The parts of one node, wired: what `Warp` and its scopes share. */
export class Core {
  readonly parts: Parts;
  readonly follower: Follower;
  readonly registry: Registry;
  readonly l1: L1;
  readonly lives: Lives;
  readonly loader: Loader;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly transactions: Transactions;
  readonly versions: Versions;
  readonly mutations: Mutations;
  readonly invalidations: Invalidations;
  readonly outcomes: Outcomes;
  /** Told when what is on its way for a key, or a prefix, is not for readers to come. */
  readonly outdated: ((key: string | undefined, prefix: string | undefined) => void)[] = [];

  /** `join`: how it takes part in `options.bus`. Throws `invalid_argument`, `invalid_pattern`, `invalid_registration`, `invalid_ttl`, `registration_conflict`. */
  constructor(options: WarpOptions, join?: BusLink) {
    const {
      adapter,
      cache,
      clock,
      timers,
      random,
      background,
      joinTimeoutMs = 5_000,
      subject = "node",
    } = options;
    checkRange("invalid_argument", "joinTimeoutMs", joinTimeoutMs, 1, 120_000);
    this.parts = {
      adapter,
      cache,
      clock,
      elapsed: options.elapsed ?? steadyClock(clock),
      timers,
      random,
      background,
      moments: new Moments(clock),
      emitter: new Emitter(background),
      lifetime: new Lifetime(),
      counters: newCounters(),
      joinTimeoutMs,
      subject,
    };
    const outdated = (key: string | undefined, prefix: string | undefined): void => this.#detach(key, prefix);
    this.registry = new Registry(this.parts, options.registrations ?? [], () => follower.forgetAll());
    const tenures = new Tenures(adapter, cache);
    this.l1 = new L1(this.parts);
    const follower = new Follower(this.parts, this.l1, {
      outdated,
      registrationsOld: () => this.registry.markOld(),
    });
    this.follower = follower;
    this.lives = new Lives(clock, random);
    const tier =
      options.secondTier === undefined
        ? undefined
        : new SecondTier({
            parts: this.parts,
            cache: options.secondTier,
            l1: this.l1,
            follower,
            lives: this.lives,
            isOfThisLife: () => this.registry.isOfThisLife,
          });
    this.loader = new Loader(this.parts, this.l1, follower, this.lives, tenures, tier);
    const refresher = new Refresher(this.parts, this.loader);
    this.reader = new Reader(
      this.parts,
      this.registry,
      this.l1,
      follower,
      this.loader,
      this.lives,
      refresher,
      tenures,
    );
    const { bus, publishTimeoutMs } = options;
    if (publishTimeoutMs !== undefined)
      checkRange("invalid_argument", "publishTimeoutMs", publishTimeoutMs, 1, maxTimeoutMs);
    const conditions = new Conditions(this.parts, follower, this.loader);
    const alignment = new Alignment(this.parts, this.l1, follower, this.lives, {
      outdated,
      kept: (key, settings, copy) => tier?.keep(key, settings, copy),
      dropped: (key, settings) => tier?.drop(key, settings),
      changed: (draft) => publisher?.tell(draft),
    });
    this.writer = new Writer(this.parts, this.registry, follower, conditions, alignment);
    this.transactions = new Transactions(this.parts, this.registry, follower, conditions, alignment);
    this.outcomes = new Outcomes(this.parts, this.l1, (key) => outdated(key, undefined));
    this.versions = new Versions(this.parts, this.registry);
    this.mutations = new Mutations(this.parts, this.writer);
    this.invalidations = new Invalidations(this.parts, this.registry, this.l1, this.writer, outdated);
    const deaf = adapter.pushes?.listen(new PushIntake(this.parts, follower));
    if (deaf !== undefined) this.parts.lifetime.onEnd(deaf);
    const publisher = bus && join?.(this.parts, this.l1, follower, bus, publishTimeoutMs, outdated);
  }

  #detach(key: string | undefined, prefix: string | undefined): void {
    if (key !== undefined) this.loader.detach(key);
    if (prefix !== undefined) this.loader.detachPrefix(prefix);
    for (const told of this.outdated) told(key, prefix);
  }
}

import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { formatCursor } from "../protocol/position.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { checkPrefix, checkTags, OpIds, type Wish } from "./draft.ts";
import { Emitter } from "./emitter.ts";
import { checkValue, type Reading } from "./entry.ts";
import { Follower } from "./follower.ts";
import { L1 } from "./l1.ts";
import { Lifetime } from "./lifetime.ts";
import { Lives } from "./lives.ts";
import { Loader } from "./loader.ts";
import { Moments } from "./moment.ts";
import { newCounters, type Parts } from "./parts.ts";
import { checkRange } from "./policy.ts";
import { Reader } from "./reader.ts";
import { Refresher } from "./refresher.ts";
import { Registry } from "./registry.ts";
import { SecondTier } from "./second-tier.ts";
import { Sourcing } from "./sourcing.ts";
import { tooMany } from "./too-many.ts";
import type {
  InvalidateResult,
  InvalidateTarget,
  MutationOptions,
  SetManyOptions,
  SetManyResult,
  WarpOptions,
} from "./types.ts";
import { Versions } from "./versions.ts";
import { Writer } from "./writer.ts";

/** The parts of one node, wired: what `Warp` and its scopes share. */
export class Core {
  readonly parts: Parts;
  readonly registry: Registry;
  readonly l1: L1;
  readonly lives: Lives;
  readonly loader: Loader;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly sourcing: Sourcing;
  readonly versions: Versions;

  /** Throws `invalid_argument`, `invalid_pattern`, `invalid_registration`, `invalid_ttl`, `registration_conflict`. */
  constructor(options: WarpOptions) {
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
    this.l1 = new L1(this.parts);
    const follower = new Follower(this.parts, this.l1, {
      outdated,
      registrationsOld: () => this.registry.markOld(),
    });
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
    this.loader = new Loader(this.parts, this.l1, follower, this.lives, tier);
    const refresher = new Refresher(this.parts, this.loader);
    this.reader = new Reader(
      this.parts,
      this.registry,
      this.l1,
      follower,
      this.loader,
      this.lives,
      refresher,
    );
    this.writer = new Writer(this.parts, this.registry, this.l1, follower, this.loader, this.lives, {
      outdated,
      kept: (key, settings, copy) => tier?.keep(key, settings, copy),
      dropped: (key, settings) => tier?.drop(key, settings),
    });
    this.sourcing = new Sourcing(this.parts, this.registry, this.reader, this.writer, this.loader, this.l1);
    this.versions = new Versions(this.parts, this.registry);
  }

  #detach(key: string | undefined, prefix: string | undefined): void {
    if (key !== undefined) {
      this.loader.detach(key);
      this.sourcing.detach(key);
    }
    if (prefix !== undefined) {
      this.loader.detachPrefix(prefix);
      this.sourcing.detachPrefix(prefix);
    }
  }

  async setMany<T>(
    entries: Iterable<readonly [key: string, value: T]>,
    reading: Reading<T>,
    options: SetManyOptions<T> | undefined,
  ): Promise<readonly SetManyResult[]> {
    this.parts.lifetime.check();
    const list = [...entries];
    if (list.length > maxBatchOperations) throw tooMany(list.length);
    const results: (SetManyResult | undefined)[] = list.map(() => undefined);
    const wishes: Wish[] = [];
    const places: number[] = [];
    for (const [at, [key, value]] of list.entries()) {
      try {
        const payload = reading.codec.encode(await checkValue(value, reading.schema));
        wishes.push({ kind: "set", key, payload, expiresInMs: options?.expiresInMs, tags: options?.tags });
        places.push(at);
      } catch (error) {
        results[at] = { key, error };
      }
    }
    const settled = await this.writer.each(wishes, options, undefined, (i) => places[i] ?? i);
    for (const [i, at] of places.entries()) {
      const one = settled[i];
      const key = list[at]?.[0] ?? "";
      if (one !== undefined) {
        results[at] = "value" in one ? { key, result: one.value.result } : { key, error: one.error };
      }
    }
    return results.map((result, at) => result ?? unanswered(list[at]?.[0] ?? ""));
  }

  async invalidate(
    target: InvalidateTarget,
    options: MutationOptions | undefined,
  ): Promise<InvalidateResult> {
    const { keys, prefix, tags } = checkTarget(target);
    if (tags !== undefined)
      return await this.#invalidateEach(
        tags.map((tag) => ({ kind: "invalidateTag", tag })),
        options,
      );
    if (prefix !== undefined) {
      const { result, positions } = await this.writer.one({ kind: "invalidatePrefix", prefix }, options);
      return { opId: result.opId, cursors: positions.map(formatCursor) };
    }
    if (keys.length > maxBatchOperations) throw tooMany(keys.length);
    for (const key of keys) checkKey(key);
    // Refused as a whole before anything is done, if any key has no registration in a strict space.
    await this.registry.ready(options);
    for (const key of keys) this.registry.resolve(key);
    return await this.#invalidateEach(
      keys.map((key) => ({ kind: "invalidate", key })),
      options,
    );
  }

  async #invalidateEach(
    wishes: readonly Wish[],
    options: MutationOptions | undefined,
  ): Promise<InvalidateResult> {
    const opIds = new OpIds(this.parts, options);
    const settled = await this.writer.each(wishes, options, opIds);
    const cursors = new Map<number, string>();
    for (const one of settled) {
      if (!("value" in one)) throw one.error;
      for (const position of one.value.positions) cursors.set(position.shard, formatCursor(position));
    }
    return { opId: opIds.callOpId, cursors: [...cursors.values()] };
  }

  /** Drops this node's copies only; gives how many there were. */
  async invalidateLocal(target: InvalidateTarget): Promise<number> {
    this.parts.lifetime.check();
    const { keys, prefix, tags } = checkTarget(target);
    const { emitter } = this.parts;
    if (tags !== undefined) {
      // What is on its way may have one of them.
      this.#detach(undefined, "");
      if (emitter.has("invalidate"))
        for (const tag of tags) emitter.emit("invalidate", { tag, source: "local" });
      return await this.l1.forgetTags(tags);
    }
    if (prefix !== undefined) {
      checkPrefix(prefix);
      this.#detach(undefined, prefix);
      if (emitter.has("invalidate")) emitter.emit("invalidate", { prefix, source: "local" });
      return await this.l1.forgetPrefix(prefix);
    }
    for (const key of keys) checkKey(key);
    let dropped = 0;
    for (const key of keys) {
      this.#detach(key, undefined);
      if (emitter.has("invalidate")) emitter.emit("invalidate", { key, source: "local" });
      if (await this.l1.forget(key)) dropped++;
    }
    return dropped;
  }
}

function unanswered(key: string): SetManyResult {
  return { key, error: new WarpError("internal", "a mutation was left unanswered") };
}

type Target = {
  readonly keys?: readonly string[];
  readonly prefix?: string;
  readonly tags?: readonly string[];
};

/** Exactly one of the three. Throws `invalid_argument`. */
function checkTarget(target: InvalidateTarget) {
  const { keys, prefix, tags } = target as Target;
  if (keys !== undefined && prefix === undefined && tags === undefined) return { keys, prefix, tags };
  if (keys === undefined && prefix !== undefined && tags === undefined) return { keys, prefix, tags };
  if (keys === undefined && prefix === undefined && tags !== undefined) {
    checkTags(tags);
    return { keys, prefix, tags: [...new Set(tags)] };
  }
  throw new WarpError("invalid_argument", "name either keys, a prefix or tags", {
    details: { field: "keys" },
  });
}

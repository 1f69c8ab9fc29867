import type { CacheEntry } from "../cache/cache.ts";
import { isWarpError, WarpError } from "../errors.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import { Call, tooLong } from "./call.ts";
import { Claims } from "./claims.ts";
import type { Core } from "./core.ts";
import { checkValue, type Reading, readValue } from "./entry.ts";
import type { Found } from "./found.ts";
import { HeldErrors, isStorageTrouble } from "./held-errors.ts";
import type { L1 } from "./l1.ts";
import type { Need } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import type { Reader } from "./reader.ts";
import type { Registry } from "./registry.ts";
import { SingleFlight } from "./single-flight.ts";
import type { ReadCall, WriteOptions } from "./types.ts";
import type { Writer } from "./writer.ts";

/** Options of `getOrSet`. */
export type GetOrSetOptions<T> = Omit<WriteOptions<T>, "ifVersion" | "when"> & Pick<ReadCall, "allowStale">;

/** Gives the value of a key that nobody has yet; undefined: there is none. */
export type Source<T> = () => T | undefined | Promise<T | undefined>;

/** What a source gave: the copy that was stored or found stored, or a value that was not kept. */
type Sourced = { readonly entry: CacheEntry } | { readonly value: unknown };

/** `getOrSet`: values that come from the caller's own source, one run of it per key at a time on this node. */
export class Sourcing {
  readonly #parts: Parts;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #loader: Loader;
  readonly #l1: L1;
  readonly #registry: Registry;
  readonly #claims: Claims;
  /** Errors of sources whose callers were given a stale copy instead. */
  readonly #rescued = new HeldErrors();
  readonly #flights: SingleFlight<Sourced>;

  constructor({ parts, registry, reader, writer, loader, l1, outdated }: Core) {
    this.#parts = parts;
    this.#registry = registry;
    this.#loader = loader;
    this.#claims = new Claims(parts);
    this.#reader = reader;
    this.#writer = writer;
    this.#l1 = l1;
    this.#flights = new SingleFlight({
      clock: parts.clock,
      background: parts.background,
      lostAfterMs: parts.joinTimeoutMs,
      errors: new HeldErrors(),
      holds: isStorageTrouble,
    });
    // Callers to come don't join what is on its way now.
    outdated.push((key, prefix) => {
      if (key !== undefined) this.#flights.detach(key);
      if (prefix !== undefined) this.#flights.detachWhere((one) => one.startsWith(prefix));
    });
  }

  async getOrSet<T>(
    key: string,
    source: Source<T>,
    reading: Reading<T>,
    options: GetOrSetOptions<T> | undefined,
    policy?: Policy,
  ): Promise<T | undefined> {
    let found = await this.#find(key, options, policy);
    // Found absent, and written meanwhile: no need to ask the source.
    if (found.entry === undefined && !this.#isAbsentStill(found)) {
      found = await this.#find(key, options, policy);
    }
    if (found.entry !== undefined) return readValue(found.entry, reading);
    const settings = policy ?? this.#registry.resolve(key);
    const call = new Call(this.#parts, options);
    const run = (): Promise<Sourced> => this.#run(found, settings, source, reading, options);
    const shared = (): Promise<Sourced> => this.#shared({ key, settings }, run, call);
    const { extra } = settings;
    const sourced =
      extra === undefined ? await shared() : await this.#bounded({ key, settings }, extra, shared, call);
    return "entry" in sourced ? readValue(sourced.entry, reading) : (sourced.value as T | undefined);
  }

  /** A space that isn't there yet has no such key: what the source gives is its first write. */
  async #find(key: string, options: ReadCall | undefined, policy: Policy | undefined): Promise<Found> {
    try {
      return await this.#reader.find(key, options, policy);
    } catch (error) {
      if (!isWarpError(error, "space_not_found")) throw error;
      return { key, entry: undefined, cache: "miss", loaded: undefined };
    }
  }

  /** What the one run of a key's source gives to all who wait. */
  async #shared({ key, settings }: Need, run: () => Promise<Sourced>, call: Call): Promise<Sourced> {
    const start = (): Promise<Sourced> => {
      const begun = this.#parts.moments.mark();
      return this.#flights.begin(key, begun, run());
    };
    const joined = this.#flights.join(key, Number.NEGATIVE_INFINITY, start);
    let sourced: Sourced | typeof tooLong;
    if (joined === undefined) sourced = await call.wait(start());
    else {
      this.#parts.counters.joins++;
      sourced = await call.wait(joined, this.#parts.joinTimeoutMs);
    }
    if (sourced === tooLong) return await call.wait(start());
    if (joined === undefined || settings.mode !== "strong" || !("entry" in sourced)) return sourced;
    // The run was begun before this caller: what it stored may have been deleted since, and found absent by this caller.
    const [settled] = await this.#loader.load([{ key, settings }], call);
    if (settled === undefined || !("value" in settled)) throw settled?.error;
    const { entry } = settled.value;
    return entry === undefined ? await call.wait(start()) : { entry };
  }

  /** The same within a policy's time-outs, and with the stale copy, where there is one, for a source that fails or is slow. */
  async #bounded(
    need: Need,
    { graceMs, softTimeoutMs, hardTimeoutMs }: RegistrationSettings,
    shared: () => Promise<Sourced>,
    call: Call,
  ): Promise<Sourced> {
    const { background, clock } = this.#parts;
    const { key } = need;
    if (graceMs !== undefined && this.#rescued.isHeld(key, clock.now())) {
      const stale = await this.#reader.stale(need);
      if (stale !== undefined) return { entry: stale };
    }
    const begunAtMs = clock.now();
    const work = shared();
    background.run(
      work.then(
        () => this.#rescued.release(key),
        () => undefined,
      ),
    );
    try {
      if (softTimeoutMs !== undefined && (await this.#reader.haveStale(need))) {
        const early = await call.wait(work, softTimeoutMs);
        if (early !== tooLong) return early;
        const stale = await this.#reader.stale(need);
        if (stale !== undefined) return { entry: stale };
      }
      const late =
        hardTimeoutMs === undefined
          ? await call.wait(work)
          : await call.wait(work, Math.max(0, begunAtMs + hardTimeoutMs - clock.now()));
      if (late !== tooLong) return late;
      throw new WarpError(
        "deadline_exceeded",
        `the source gave nothing within hardTimeoutMs, ${hardTimeoutMs} ms`,
      );
    } catch (error) {
      const gaveUp = isWarpError(error, "aborted") || isWarpError(error, "warp_closed");
      const stale = graceMs === undefined || gaveUp ? undefined : await this.#reader.stale(need);
      if (stale === undefined) throw error;
      if (!this.#rescued.isHeld(key, clock.now())) this.#rescued.hold(key, error, clock.now());
      return { entry: stale };
    }
  }

  /** Runs the source, or waits for another node of the space that does. */
  async #run<T>(
    found: Found,
    settings: Policy,
    source: Source<T>,
    reading: Reading<T>,
    options: GetOrSetOptions<T> | undefined,
  ): Promise<Sourced> {
    const { loadSharing, hardTimeoutMs } = settings.settings;
    if (loadSharing !== "space") return await this.#store(found, source, reading, options);
    const { key } = found;
    let latest = found;
    return await this.#claims.share(
      key,
      hardTimeoutMs,
      () => this.#store(latest, source, reading, options),
      async () => {
        // What was known before the other's load says nothing about what it stored.
        this.#loader.detach(key);
        const [settled] = await this.#loader.load(
          [{ key, settings, authority: true }],
          new Call(this.#parts, undefined),
        );
        if (settled === undefined || !("value" in settled)) throw settled?.error;
        const { entry } = settled.value;
        latest = { key, entry, cache: "miss", loaded: settled.value };
        return entry === undefined ? undefined : { entry };
      },
    );
  }

  /** Whether no change is known since the key was found absent. */
  #isAbsentStill({ key, loaded }: Pick<Found, "key" | "loaded">): boolean {
    if (loaded === undefined) return true;
    const { position, begun } = loaded;
    return this.#l1.stands(key, position.shard, position.revision, begun);
  }

  async #store<T>(
    { key, loaded }: Found,
    source: Source<T>,
    reading: Reading<T>,
    options: GetOrSetOptions<T> | undefined,
  ): Promise<Sourced> {
    const value = await source();
    if (value === undefined) return { value };
    const payload = reading.codec.encode(await checkValue(value, reading.schema));
    // A change that came while the source was asked makes its answer old: it is given, but not kept.
    const stands =
      this.#isAbsentStill({ key, loaded }) &&
      (loaded === undefined ||
        this.#l1.tagsStand(options?.tags, loaded.position.shard, loaded.position.revision));
    if (!stands) {
      // Nor is what was known of the key before it.
      this.#l1.absences.drop(key);
      return { value };
    }
    // Under nobody's signal: others wait for it too.
    const write = {
      ...(options?.opId === undefined ? {} : { opId: options.opId }),
      ...(options?.subject === undefined ? {} : { subject: options.subject }),
      ifVersion: 0,
    };
    try {
      const wish = {
        kind: "set",
        key,
        payload,
        expiresInMs: options?.expiresInMs,
        tags: options?.tags,
        // What was loaded is the value itself, no operand.
        replace: true,
      } as const;
      const { copy } = await this.#writer.one(wish, write);
      const held = this.#l1.inspect(key);
      if (held !== undefined && held.version === copy?.version) return { entry: held };
      return copy === undefined ? { value } : { entry: copy };
    } catch (error) {
      if (!isWarpError(error, "precondition_failed")) throw error;
      // Someone wrote meanwhile: theirs counts.
      const { entry } = await this.#reader.find(key, undefined);
      return entry === undefined ? { value } : { entry };
    }
  }
}

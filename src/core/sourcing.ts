import type { CacheEntry } from "../cache/cache.ts";
import { isWarpError } from "../errors.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import { Call, tooLong } from "./call.ts";
import { checkValue, type Reading, readValue } from "./entry.ts";
import { HeldErrors, isStorageTrouble } from "./held-errors.ts";
import type { L1 } from "./l1.ts";
import type { Parts } from "./parts.ts";
import type { Found, Reader } from "./reader.ts";
import { SingleFlight } from "./single-flight.ts";
import type { WriteOptions } from "./types.ts";
import type { Writer } from "./writer.ts";

/** Options of `getOrSet`. */
export type GetOrSetOptions<T> = Omit<WriteOptions<T>, "ifVersion" | "when">;

/** Gives the value of a key that nobody has yet; undefined: there is none. */
export type Source<T> = () => T | undefined | Promise<T | undefined>;

/** What a source gave: the copy that was stored or found stored, or a value that was not kept. */
type Sourced = { readonly entry: CacheEntry } | { readonly value: unknown };

/** `getOrSet`: values that come from the caller's own source, one run of it per key at a time on this node. */
export class Sourcing {
  readonly #parts: Parts;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #l1: L1;
  readonly #flights: SingleFlight<Sourced>;

  constructor(parts: Parts, reader: Reader, writer: Writer, l1: L1) {
    this.#parts = parts;
    this.#reader = reader;
    this.#writer = writer;
    this.#l1 = l1;
    this.#flights = new SingleFlight({
      clock: parts.clock,
      background: parts.background,
      lostAfterMs: parts.joinTimeoutMs,
      errors: new HeldErrors(),
      // A source's own errors say nothing about the next run.
      holds: (error) => isWarpError(error) && isStorageTrouble(error),
    });
  }

  /** Callers to come don't join what is on its way for `key` now. */
  detach(key: string): void {
    this.#flights.detach(key);
  }

  detachPrefix(prefix: string): void {
    this.#flights.detachWhere((key) => key.startsWith(prefix));
  }

  async getOrSet<T>(
    key: string,
    source: Source<T>,
    reading: Reading<T>,
    options: GetOrSetOptions<T> | undefined,
    policy?: RegistrationSettings,
  ): Promise<T | undefined> {
    const found = await this.#reader.find(key, options, policy);
    if (found.entry !== undefined) return readValue(found.entry, reading);
    const call = new Call(this.#parts, options);
    const start = (): Promise<Sourced> => {
      const begun = this.#parts.moments.mark();
      return this.#flights.begin(key, begun, this.#run(found, source, reading, options));
    };
    const joined = this.#flights.join(key, Number.NEGATIVE_INFINITY, start);
    let sourced: Sourced | typeof tooLong;
    if (joined === undefined) sourced = await call.wait(start());
    else {
      this.#parts.counters.joins++;
      sourced = await call.wait(joined, this.#parts.joinTimeoutMs);
    }
    if (sourced === tooLong) sourced = await call.wait(start());
    return "entry" in sourced ? readValue(sourced.entry, reading) : (sourced.value as T | undefined);
  }

  async #run<T>(
    { key, loaded }: Found,
    source: Source<T>,
    reading: Reading<T>,
    options: GetOrSetOptions<T> | undefined,
  ): Promise<Sourced> {
    const value = await source();
    if (value === undefined) return { value };
    const payload = reading.codec.encode(await checkValue(value, reading.schema));
    // A change that came while the source was asked makes its answer old: it is given, but not kept.
    if (loaded !== undefined) {
      const { position, begun } = loaded;
      if (!this.#l1.stands(key, position.shard, position.revision, begun)) return { value };
    }
    // Under nobody's signal: others wait for it too.
    const write = {
      ...(options?.opId === undefined ? {} : { opId: options.opId }),
      ...(options?.subject === undefined ? {} : { subject: options.subject }),
      ifVersion: 0,
    };
    try {
      const wish = { kind: "set", key, payload, expiresInMs: options?.expiresInMs } as const;
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

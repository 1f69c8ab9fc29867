import type { CallOptions } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { formatCursor, formatETag } from "../protocol/position.ts";
import type { VersionRequest } from "../protocol/shard-api.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxListLimit } from "../runtime/limits.ts";
import { callOptions } from "./call.ts";
import { type Reading, readValue, toCacheEntry } from "./entry.ts";
import type { Parts } from "./parts.ts";
import { checkRange } from "./policy.ts";
import type { Registry } from "./registry.ts";
import type { HistoryOptions, HistoryPage, KeptEntry, VersionEntry } from "./types.ts";

/** Reads of kept versions (rule VE2): always at the authority, never from L1. */
export class Versions {
  readonly #parts: Parts;
  readonly #registry: Registry;

  constructor(parts: Parts, registry: Registry) {
    this.#parts = parts;
    this.#registry = registry;
  }

  /** The value that was present at `time`, wall-clock ms of the authority; undefined: there was none. */
  async at<T>(
    key: string,
    time: number | Date,
    reading: Reading<T>,
    options: CallOptions | undefined,
  ): Promise<KeptEntry<T> | undefined> {
    const atMs = typeof time === "number" ? time : time.getTime();
    if (!Number.isFinite(atMs) || atMs < 0) {
      throw new WarpError("invalid_argument", "time is a Date or ms since 1970, 0 or more", {
        details: { field: "time", min: 0 },
      });
    }
    const found = await this.#read(key, { atMs: Math.floor(atMs) }, reading, options);
    return found?.kind === "set" ? found : undefined;
  }

  /** The version of this number. Throws `not_found` where the key never had it. */
  async numbered<T>(
    key: string,
    version: number,
    reading: Reading<T>,
    options: CallOptions | undefined,
  ): Promise<VersionEntry<T>> {
    checkRange("invalid_version", "version", version, 1, Number.MAX_SAFE_INTEGER);
    const found = await this.#read(key, { version }, reading, options);
    if (found === undefined) {
      throw new WarpError("not_found", "the key has no such version", { details: { version } });
    }
    return found;
  }

  async history(key: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const { before, limit } = options;
    if (before !== undefined) checkRange("invalid_version", "before", before, 1, Number.MAX_SAFE_INTEGER);
    if (limit !== undefined) checkRange("invalid_limit", "limit", limit, 1, maxListLimit);
    await this.#begin(key, options);
    const page = await this.#parts.adapter.history(key, {
      ...callOptions(options),
      ...(before === undefined ? {} : { before }),
      ...(limit === undefined ? {} : { limit }),
    });
    return { versions: page.versions, more: page.more, floor: page.floor, cursor: formatCursor(page.asOf) };
  }

  async #begin(key: string, options: CallOptions | undefined): Promise<void> {
    this.#parts.lifetime.check();
    checkCallLimits(options);
    checkKey(key);
    const waiting = this.#registry.ready(options);
    if (waiting !== undefined) await waiting;
    // A key without a registration in a strict space is refused here as anywhere.
    this.#registry.resolve(key);
  }

  async #read<T>(
    key: string,
    which: VersionRequest["which"],
    reading: Reading<T>,
    options: CallOptions | undefined,
  ): Promise<VersionEntry<T> | undefined> {
    await this.#begin(key, options);
    const { found, asOf } = await this.#parts.adapter.readVersion(key, which, callOptions(options));
    if (found === null) return undefined;
    const { version, kind, atMs, sizeBytes, payload } = found;
    const about = { key, version, etag: formatETag(asOf.epoch, version), atMs };
    if (kind !== "set") return { ...about, kind, value: undefined };
    if (payload === undefined) throw new WarpError("internal", "a kept value came without its bytes");
    const stored = { payload, version, modifiedAtMs: atMs };
    const copy = toCacheEntry(stored, asOf, this.#parts.clock.now(), { ttlMs: 0, keepMs: 0 });
    const value = await readValue(copy, reading);
    const { tags } = found;
    return {
      ...about,
      kind,
      value,
      sizeBytes,
      contentType: payload.contentType,
      ...(tags === undefined ? {} : { tags }),
    };
  }
}

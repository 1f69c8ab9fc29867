import type { CacheEntry } from "../cache/cache.ts";
import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { formatCursor, formatETag, type Position } from "../protocol/position.ts";
import type { StoredEntry } from "../protocol/shard-api.ts";
import { type Codec, payloadCodec } from "../runtime/codec.ts";
import type { StandardSchemaResult, StandardSchemaV1 } from "../runtime/standard-schema.ts";
import type { CopyLife } from "./lives.ts";
import type { CacheOutcome, Entry } from "./types.ts";

/** How bytes become a caller's values. Two readings with one codec object share what is decoded. */
export interface Reading<T> {
  readonly codec: Codec<T>;
  readonly schema?: StandardSchemaV1<unknown, T>;
}

/** A copy of what the authority stored, as an answer to a question sent at `sentAtMs` gave it. */
export function toCacheEntry(
  stored: Pick<StoredEntry, "payload" | "version" | "modifiedAtMs" | "expiresInMs" | "tags">,
  asOf: Position,
  sentAtMs: number,
  life: CopyLife,
): CacheEntry {
  // All lives are counted from the sending: the answer can only have been true later than that.
  const endsAtMs =
    stored.expiresInMs === undefined ? Number.POSITIVE_INFINITY : sentAtMs + stored.expiresInMs;
  return {
    payload: stored.payload,
    version: stored.version,
    etag: formatETag(asOf.epoch, stored.version),
    shard: asOf.shard,
    asOf: asOf.revision,
    modifiedAtMs: stored.modifiedAtMs,
    storedAtMs: sentAtMs,
    expiresAtMs: Math.min(sentAtMs + life.keepMs, endsAtMs),
    freshUntilMs: sentAtMs + life.ttlMs,
    ...(stored.tags === undefined || stored.tags.length === 0 ? {} : { tags: stored.tags }),
    endsAtMs,
    tenure: undefined,
    decoded: undefined,
    decodedBy: undefined,
  };
}

/** The epoch that a copy is of. */
export function epochOf(entry: CacheEntry): string {
  return entry.etag.slice(0, entry.etag.lastIndexOf("."));
}

/** The value of a copy: decoded and checked once, then shared by all readers with the same codec. */
export function readValue<T>(entry: CacheEntry, reading: Reading<T>): T | Promise<T> {
  const { codec, schema } = reading;
  if (entry.decodedBy === codec) return entry.decoded as T;
  const value = codec.decode(entry.payload);
  // The stored form is its own memo.
  if ((codec as unknown) === payloadCodec) return value;
  if (schema === undefined) return keep(entry, codec, value);
  const checked = schema["~standard"].validate(value);
  return checked instanceof Promise
    ? checked.then((result) => keep(entry, codec, decodedValue(result)))
    : keep(entry, codec, decodedValue(checked));
}

/** The value in bytes that no cache holds. */
export function readPayload<T>(payload: Payload, { codec, schema }: Reading<T>): T | Promise<T> {
  const value = codec.decode(payload);
  if (schema === undefined) return value;
  const checked = schema["~standard"].validate(value);
  return checked instanceof Promise ? checked.then(decodedValue) : decodedValue(checked);
}

function keep<T>(entry: CacheEntry, codec: Codec<T>, value: T): T {
  if (codec.perReader === true) return value;
  freezePlain(value);
  entry.decoded = value;
  // `unknown` stands for every T: the memo is read only by a reader that brings this very codec.
  entry.decodedBy = codec as Codec<unknown>;
  return value;
}

/** Freezes plain objects and lists, since readers share them; what has a class of its own is left alone. */
function freezePlain(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freezePlain(part);
}

function decodedValue<T>(result: StandardSchemaResult<T>): T {
  if (result.issues === undefined) return result.value;
  throw new WarpError(
    "decode_failed",
    `the stored value does not fit the schema: ${describe(result.issues)}`,
  );
}

/** Checks a value before it is written. Throws `invalid_value`. */
export async function checkValue<T>(value: T, schema: StandardSchemaV1<unknown, T> | undefined): Promise<T> {
  if (schema === undefined) return value;
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  throw new WarpError("invalid_value", `the value does not fit the schema: ${describe(result.issues)}`, {
    details: { issues: result.issues.slice(0, 10).map((issue) => issue.message) },
  });
}

type Issues = NonNullable<StandardSchemaResult<unknown>["issues"]>;

function describe(issues: Issues): string {
  const [first] = issues;
  if (first === undefined) return "no reason was given";
  const path = first.path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return path === undefined || path === "" ? first.message : `${path}: ${first.message}`;
}

/** A copy as callers see it. */
export function toEntry<T>(
  key: string,
  entry: CacheEntry,
  value: T,
  cache: CacheOutcome,
  nowMs: number,
): Entry<T> {
  return {
    key,
    value,
    version: entry.version,
    etag: entry.etag,
    cursor: formatCursor({ epoch: epochOf(entry), revision: entry.asOf }),
    contentType: entry.payload.contentType,
    modifiedAtMs: entry.modifiedAtMs,
    ageMs: cache === "hit" || cache === "stale" ? Math.max(0, nowMs - entry.storedAtMs) : 0,
    expiresInMs:
      entry.endsAtMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, entry.endsAtMs - nowMs),
    ...(entry.tags === undefined ? {} : { tags: entry.tags }),
    stale: cache === "stale",
    cache,
  };
}

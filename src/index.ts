/** The public surface of Warp. */

export type { Adapter, AdapterSupports, CallOptions, ListOptions } from "./adapter/adapter.ts";
export { memoryAdapter } from "./adapter/memory/memory-adapter.ts";
export { MemoryStorage, type MemoryStorageOptions } from "./adapter/memory/memory-storage.ts";
export { nullAdapter } from "./adapter/null/null-adapter.ts";
export type { Cache, CacheEntry, CacheStats, CacheSupports } from "./cache/cache.ts";
export { memoryCache } from "./cache/memory/memory-cache.ts";
export type { KeyScope, Scope } from "./core/scope.ts";
export type { GetOrSetOptions, Source } from "./core/sourcing.ts";
export type {
  BatchOperation,
  BatchOptions,
  BatchResult,
  CacheOutcome,
  DeleteOptions,
  Entry,
  InvalidateResult,
  InvalidateTarget,
  ListPage,
  Lookup,
  MutationOptions,
  MutationResult,
  ReadOptions,
  RegistrationOptions,
  ScopeOptions,
  SetManyOptions,
  SetManyResult,
  WarpEvents,
  WarpOptions,
  WarpStats,
  WriteOptions,
} from "./core/types.ts";
export { Warp } from "./core/warp.ts";
export {
  type ErrorCode,
  type ErrorData,
  type ErrorDetails,
  type ErrorOutcome,
  errorCodes,
  isWarpError,
  WarpError,
  type WarpErrorOptions,
} from "./errors.ts";
export { type StandaloneOptions, standalone } from "./presets/standalone.ts";
export type { Payload } from "./protocol/payload.ts";
export type { Mode, RegistrationSettings, StoredRegistration } from "./protocol/registration.ts";
export type { ListedKey, Precondition } from "./protocol/shard-api.ts";
export type { Background } from "./runtime/background.ts";
export type { Clock, Timers } from "./runtime/clock.ts";
export { bytesCodec, type Codec, jsonCodec, payloadCodec, textCodec } from "./runtime/codec.ts";
export type { Random } from "./runtime/random.ts";
export type { StandardSchemaV1 } from "./runtime/standard-schema.ts";

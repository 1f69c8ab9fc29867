/** The public surface of Warp. */

export type { Adapter, AdapterSupports, CallOptions, ListOptions } from "./adapter/adapter.ts";
export { memoryAdapter } from "./adapter/memory/memory-adapter.ts";
export { MemoryStorage, type MemoryStorageOptions } from "./adapter/memory/memory-storage.ts";
export { nullAdapter } from "./adapter/null/null-adapter.ts";
export type { Cache, CacheEntry, CacheStats, CacheSupports } from "./cache/cache.ts";
export { type KvCacheOptions, kvCache } from "./cache/kv/kv-cache.ts";
export type { KvNamespace, KvPage } from "./cache/kv/namespace.ts";
export {
  type EvictionPolicyName,
  type MemoryCacheOptions,
  memoryCache,
} from "./cache/memory/memory-cache.ts";
export { resilientCache } from "./cache/resilient/resilient-cache.ts";
export { tieredCache } from "./cache/tiered/tiered-cache.ts";
export {
  type VersionedCache,
  type VersionedCacheOptions,
  versionedCache,
} from "./cache/versioned/versioned-cache.ts";
export type { Election } from "./core/election.ts";
export type { KeyScope } from "./core/key-scope.ts";
export type { LeaseDirectory } from "./core/lease-directory.ts";
export type { LockDirectory } from "./core/lock-directory.ts";
export type { Scope } from "./core/scope.ts";
export type { GetOrSetOptions, Source } from "./core/sourcing.ts";
export type { TransactionBuilder } from "./core/transaction-builder.ts";
export type {
  AdaptiveTtl,
  BatchOperation,
  BatchOptions,
  BatchResult,
  CacheOutcome,
  CampaignOptions,
  CasOptions,
  CommitOptions,
  Comparand,
  DeleteOptions,
  Entry,
  ForceOptions,
  FrequencyTtl,
  HistoryOptions,
  HistoryPage,
  HistoryPolicy,
  InvalidateResult,
  InvalidateTarget,
  KeptEntry,
  Leader,
  LeaseListOptions,
  ListPage,
  LockListOptions,
  Lookup,
  MergeOptions,
  MutationOptions,
  MutationResult,
  Operand,
  PublishCall,
  Published,
  ReadCall,
  ReadOptions,
  RegistrationOptions,
  ResolveOptions,
  ScopeOptions,
  ScopeWatchCall,
  SetManyOptions,
  SetManyResult,
  TransactionDeleteOptions,
  TransactionDone,
  TransactionMergeOptions,
  TransactionRead,
  TransactionResult,
  TransactionSetOptions,
  TransactionStep,
  TransactionWrite,
  VersionEntry,
  WarmupOptions,
  WarmupProgress,
  WarpEvents,
  WarpLockOptions,
  WarpOptions,
  WarpStats,
  WatchCall,
  WatchedItem,
  WriteOptions,
} from "./core/types.ts";
export { Warp } from "./core/warp.ts";
export type { WatchHandle } from "./core/watch.ts";
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
export type { LeaseKeysPage, LeasePage, Leases, LeasesSupports } from "./lease/lease.ts";
export { MemoryLeaseSpace, type MemoryLeaseSpaceOptions } from "./lease/memory/memory-lease-space.ts";
export { memoryLeases } from "./lease/memory/memory-leases.ts";
export type { EndedGrant, LockPage, Locks, LocksSupports, ObservedElection } from "./lock/lock.ts";
export { MemoryLockSpace, type MemoryLockSpaceOptions } from "./lock/memory/memory-lock-space.ts";
export { memoryLocks } from "./lock/memory/memory-locks.ts";
export type { HandleLimits } from "./locking/holding.ts";
export type { Leadership } from "./locking/leadership.ts";
export type { Lease, LeaseOptions } from "./locking/lease-handle.ts";
export type { Lock, RenewOptions } from "./locking/lock-handle.ts";
export type { HoldOptions, LockOptions } from "./locking/lock-options.ts";
export type { ElectionStep } from "./locking/observation.ts";
export type { LossReason } from "./locking/term.ts";
export type { MergeFunction, MergeFunctions } from "./merge/merge-function.ts";
export { type StandaloneOptions, standalone } from "./presets/standalone.ts";
export type { LeaseCommand, LeaseEndAction, LeaseInfo, LeaseVerdict } from "./protocol/lease.ts";
export type {
  ElectionEvent,
  LockCommand,
  LockEnd,
  LockHolder,
  LockInfo,
  LockKind,
  LockVerdict,
} from "./protocol/lock.ts";
export type { FenceGuard } from "./protocol/operation.ts";
export type { Payload } from "./protocol/payload.ts";
export type { Mode, RegistrationSettings, StoredRegistration } from "./protocol/registration.ts";
export type { KeptVersion, ListedKey, Precondition, Resolution } from "./protocol/shard-api.ts";
export type { Background } from "./runtime/background.ts";
export type { BreakerState } from "./runtime/circuit-breaker.ts";
export type { Clock, Timers } from "./runtime/clock.ts";
export { bytesCodec, type Codec, jsonCodec, payloadCodec, textCodec } from "./runtime/codec.ts";
export type { Random } from "./runtime/random.ts";
export type { StandardSchemaV1 } from "./runtime/standard-schema.ts";
export {
  type BroadcastChannelBusOptions,
  broadcastChannelBus,
} from "./syncbus/broadcast-channel/broadcast-channel-bus.ts";
export type { BusHost } from "./syncbus/bus-end.ts";
export {
  type CircuitBreakerBus,
  type CircuitBreakerBusOptions,
  circuitBreakerBus,
} from "./syncbus/circuit-breaker/circuit-breaker-bus.ts";
export { type FailoverBus, failoverBus } from "./syncbus/failover/failover-bus.ts";
export type { FailoverBusOptions } from "./syncbus/failover/options.ts";
export { type MemoryBusOptions, memoryBus } from "./syncbus/memory/memory-bus.ts";
export { MemoryBusHub, type MemoryBusHubOptions } from "./syncbus/memory/memory-bus-hub.ts";
export type {
  Acknowledged,
  BusEvent,
  BusInterest,
  BusListener,
  BusMessage,
  BusPeer,
  BusStats,
  BusSubscription,
  BusTarget,
  PublishOptions,
  Quorum,
  SyncBus,
  SyncBusSupports,
} from "./syncbus/syncbus.ts";
export { type MemoryWatchBusOptions, memoryWatchBus } from "./watchbus/memory/memory-watch-bus.ts";
export { Presence } from "./watchbus/presence.ts";
export type {
  PresenceNews,
  PresenceSeat,
  PublicationOptions,
  Watch,
  WatchBus,
  WatchBusSupports,
  WatchEvent,
  WatchedKey,
  WatchItem,
  WatchKind,
  WatchMode,
  WatchOperation,
  WatchOptions,
  WatchTarget,
} from "./watchbus/watchbus.ts";

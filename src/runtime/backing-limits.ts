/** Limits of storage behind a shard, beside those in `limits.ts`. Each has a line in `docs/limits.md`. */

/** Changes in one batch to the storage. */
export const maxBackingChanges = 500;
/** Bytes of one batch (see `changeBytes`), where the storage takes as much. */
export const maxBackingBatchBytes = 4 * 1_048_576;
/** Keys in one read of the storage. */
export const maxBackingKeys = 500;
/** Most keys that a page of a scan may be asked for. */
export const maxBackingScan = 1_000;
/** How long after its end the storage may keep a value, ms: the shard ends lives, and its clock is not the storage's. */
export const backingExpiryGraceMs = 60_000;
/** How long a write waits for the storage where its space says `through`: range and default, ms. */
export const minThroughTimeoutMs = 10;
export const maxThroughTimeoutMs = 30_000;
export const defaultThroughTimeoutMs = 2_000;
/** Most bytes of values that a shard may be told to keep. */
export const maxKeepBytes = 10_000_000_000;
/** How long a shard takes the storage's word that it does not have a key, ms, and of how many keys. */
export const absentMarkMs = 60_000;
export const maxAbsentMarks = 10_000;
/** How long a shard waits for a read of the storage, ms, and how many keys and bytes of values it reads at a time. */
export const backingReadTimeoutMs = 5_000;
export const adoptionChunk = 100;
export const adoptionBytes = 16 * 1_048_576;
/** How often a call reads what it needs anew where it changes meanwhile. */
export const maxSupplyTries = 10;
/** Keys that one stretch of dropping looks at; how long it rests where nothing could be dropped, ms; keys that it knows to have been used lately. */
export const dropStretch = 200;
export const dropRestMs = 5_000;
export const maxRecentKeys = 10_000;
/** What may wait for the storage: beyond, writes are refused until no more than this part of it waits. */
export const maxOutboxEntries = 100_000;
export const maxOutboxBytes = 256 * 1_048_576;
export const outboxReopens = 0.9;
/** How long one call to the storage may take, and bounds of the waits before the next attempt (jittered). */
export const backingTimeoutMs = 10_000;
export const minBackingRetryMs = 100;
export const maxBackingRetryMs = 30_000;

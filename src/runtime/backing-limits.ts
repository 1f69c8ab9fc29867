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

/** Limits of the stream around a shard that can't be reached. Each has a line in `docs/limits.md`. */

/** Proposals of one append, and of one page. */
export const maxProposals = 500;
/** Proposals of one shard that wait to be applied, unless configured, and bounds of that. */
export const defaultStreamProposals = 100_000;
export const maxStreamProposals = 1_000_000;
/** Bytes of one shard's proposals that wait to be applied, unless configured, and the smallest bound. */
export const defaultStreamBytes = 134_217_728;
export const minStreamBytes = 2_097_152;
/** Bytes of proposals after which one page ends. */
export const maxPageBytes = 4_194_304;
/** Longest time for which a shard keeps what became of operations because they might yet come as proposals, where it can't read the stream. */
export const maxHeldVerdictsMs = 604_800_000;
/** How long one call of a shard to the stream may take; how long a node's call waits for its own proposals. */
export const streamTimeoutMs = 5_000;
export const drainTimeoutMs = 1_500;
/** Bounds of the time between two looks at the stream, and how long after something came it is looked at often. */
export const minPollMs = 1_000;
export const maxPollMs = 60_000;
export const busyPollMs = 30_000;

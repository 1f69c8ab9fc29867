/** Limits of nodes on the way around shards that can't be reached. Each has a line in `docs/limits.md`. */

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
/** What a node keeps of a space's streams while it can't reach the shards: keys, and bytes of their values. */
export const maxOverlayKeys = 10_000;
export const maxOverlayBytes = 16_777_216;
/** How often a node that reads looks into a stream: at first, and at most as seldom when nothing comes; how long a reader waits for that. */
export const minStreamPollMs = 50;
export const maxStreamPollMs = 2_000;
export const streamPatienceMs = 500;
/** Pages of a stream that one look takes at most. */
export const maxStreamPages = 20;
/** Bytes of values in one append of a node. */
export const maxAppendBytes = 1_048_576;
/** A shard counts as not to be reached after so many failures one after the other, for so long; an answer that takes longer than this is such a failure. */
export const awayFailures = 3;
export const awayMs = 1_000;
export const awayPatienceMs = 2_000;

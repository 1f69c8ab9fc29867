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

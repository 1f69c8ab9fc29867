/** Limits of what stands on Upstash, beside those in `limits.ts`. Each has a line in `docs/limits.md`. */

/** Largest request unless configured, in bytes: what the service takes on its usual plans. */
export const defaultUpstashRequestBytes = 10_000_000;
/** Bytes of stored forms after which one answer of the storage ends. */
export const maxUpstashReplyBytes = 8 * 1_048_576;
/** Log entries that a space keeps in Redis unless configured, and bounds of that. */
export const defaultUpstashLogEntries = 20_000;
export const minUpstashLogEntries = 1;
export const maxUpstashLogEntries = 1_000_000;
/** How long Redis keeps the verdicts of one minute's op ids after the last one: their window, its grace and their minute, with a margin. */
export const keptVerdictsMs = 600_000;
/** Bounds of the pause between two looks at a stream, in ms. */
export const minUpstashPollMs = 10;
export const maxUpstashPollMs = 60_000;
/** Entries that the stream of a bus keeps unless configured, and bounds of that. Redis trims whole blocks: some more may be there. */
export const defaultUpstashBusEntries = 10_000;
export const minUpstashBusEntries = 100;
export const maxUpstashBusEntries = 1_000_000;
/** What one entry of a bus's stream holds at most: messages, and about how many bytes of them. */
export const maxBusEntryMessages = 64;
export const maxBusEntryBytes = 8_192;
/** Entries that one look at a stream reads at a time. */
export const upstashEntriesAtOnce = 200;
/** Locks: ended grants of a name of which Redis keeps why they ended. */
export const keptEndedGrants = 64;
/** Characters of what is known of one lock from which on nobody else is let in or into its queue. */
export const maxLockDocumentBytes = 4 * 1_048_576;
/** Revisions that a call takes in advance; what it does not need is left out. */
export const lockRevisionBlock = 1_024;
/** Bounds of the waits between two looks at a place in a queue, ms; the greater one is for each place that stands before it once more, up to the last. */
export const lockLookBaseMs = 25;
export const lockLookMs = 500;
export const lockLookCapMs = 2_000;
/** Entries that the stream of a watch bus keeps unless configured. */
export const defaultUpstashWatchEntries = 10_000;
/** Bytes of values that one `tell` of a watch bus carries; those beyond are left out. */
export const maxToldBytes = 1_048_576;
/** Bytes of entries after which one answer to a watch ends. */
export const maxWatchPageBytes = 2 * 1_048_576;

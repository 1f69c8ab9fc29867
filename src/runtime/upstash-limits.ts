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

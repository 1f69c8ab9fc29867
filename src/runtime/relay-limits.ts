/** Watchers of one shard that it serves itself, unless configured; watchers of one relay; relays of one shard. */
export const defaultShardWatchers = 200;
export const defaultRelayWatchers = 1_000;
export const maxRelayWatchers = 10_000;
export const maxRelays = 64;
/** Sockets that one object takes a second, unless configured; as many seconds' worth come at once. */
export const defaultSocketRate = 500;
export const maxSocketRate = 100_000;
export const socketBurstSeconds = 2;
/** Bytes after which a batch for a relay ends; how long one may be without an answer; bounds of the waits before the next. */
export const maxRelayBatchBytes = 1_048_576;
export const relayFeedTimeoutMs = 10_000;
export const relayRetryBaseMs = 200;
export const relayRetryCapMs = 30_000;
/** After which time a shard looks whether its relays have all; after which time a relay asks whether its shard knows it. */
export const relayDueMs = 2_000;
export const relayCheckMs = 600_000;
/** The part of the log that a relay keeps: entries, and bytes of their values; older pages, and pages of keys, that it keeps for a moment. */
export const maxRelayEntries = 10_000;
export const maxRelayBytes = 16_777_216;
export const maxRelayPages = 16;
export const relayPageMs = 2_000;

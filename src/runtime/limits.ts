/**
 * Every limit of Warp and of the platform under it, in one place (those of locks and leases stand beside it). Each has its number here, its error in
 * `errors.ts` and a line in `docs/limits.md`.
 */

/** Longest key, in bytes of UTF-8; the shortest is 1. */
export const maxKeyBytes = 512;
/** Longest space name, in characters. */
export const maxSpaceLength = 64;
/** Longest registration pattern, in bytes of UTF-8, its `*` included. */
export const maxPatternBytes = maxKeyBytes + 1;
/** Largest value unless configured, in bytes. The platform's own bound is 2 MiB per row. */
export const defaultMaxValueBytes = 1_048_576;
/** Largest value that may be configured, in bytes: a row of 2 MB less its other columns. */
export const ceilingMaxValueBytes = 1_900_000;
/** Longest content type, in characters. */
export const maxContentTypeLength = 255;
/** Most operations in one batch call. */
export const maxBatchOperations = 1_000;
/** Largest body of a batch call, in bytes. */
export const maxBatchBytes = 8 * 1_048_576;
/** Largest body of a JSON control call (space, registration, token, invalidate), in bytes. */
export const maxControlBytes = 65_536;
/** Most records, and most bytes, that import sends to a shard in one commit. */
export const importBatchRecords = 1_000;
export const importBatchBytes = 4 * 1_048_576;
/** Most failing lines that an import names one by one; all are counted. */
export const maxNamedImportErrors = 100;
/** Longest line of an import, in bytes: a value at its limit in base64, its key and its punctuation. */
export const maxImportLineBytes = 4 * 1_048_576;
/** Most and default number of keys in one page of a list. */
export const maxListLimit = 1_000;
export const defaultListLimit = 100;
/** Most bytes of values in one page of a list; the page ends earlier then. */
export const maxListBytes = 4 * 1_048_576;
/** Most log entries in one answer of `changes`. */
export const maxChangesLimit = 10_000;
/** Shortest and longest `expiresInMs`: 1 ms to 10 years. */
export const minExpiresInMs = 1;
export const maxExpiresInMs = 315_360_000_000;
/** Shortest and longest `cacheTtlMs`: 1 ms to 30 days. */
export const minCacheTtlMs = 1;
export const maxCacheTtlMs = 2_592_000_000;
/** `cacheTtlMs` of a space's default registration: 5 minutes. */
export const defaultCacheTtlMs = 300_000;
/** Range and default of `maxStalenessMs`. */
export const minMaxStalenessMs = 1;
export const maxMaxStalenessMs = 3_600_000;
export const defaultMaxStalenessMs = 5_000;
/** Most shards of a space; the default is 1. */
export const maxShards = 256;
/** Most registrations in one space. */
export const maxRegistrations = 10_000;
/** How long an op id counts (rule OU2), and how far ahead of the shard's clock one may be. */
export const opIdWindowMs = 300_000;
export const opIdSkewMs = 60_000;
/** Log entries that a shard keeps unless configured, and their greatest age. Entries inside the op-id window always stay. */
export const defaultLogMaxEntries = 100_000;
export const defaultLogMaxAgeMs = 86_400_000;
/** Largest value that a log entry keeps for those who watch, in bytes; bytes of all of them in one shard's log, and how long one stays in any case unless there are twice as many. */
export const maxLogValueBytes = 16_384;
export const defaultLogMaxBytes = 64 * 1_048_576;
export const minLogValueAgeMs = 60_000;
/** Rows that one housekeeping stretch removes at most, so that it never blocks a shard for long. */
export const housekeepingChunk = 1_000;
/** Mutations that one group commit takes at most. */
export const maxGroupMutations = 4_096;
/** Default bounds of a node's memory cache. */
export const defaultCacheMaxEntries = 100_000;
export const defaultCacheMaxBytes = 32 * 1_048_576;
/** A caller's deadline unless it says otherwise, and the most it may say. */
export const defaultTimeoutMs = 10_000;
export const maxTimeoutMs = 120_000;
/** The least deadline that an HTTP caller may set with `Warp-Timeout-Ms`. */
export const minTimeoutMs = 100;
/** Token lifetimes: 1 s to 30 days, 1 hour unless it says otherwise. */
export const minTokenTtlMs = 1_000;
export const maxTokenTtlMs = 2_592_000_000;
export const defaultTokenTtlMs = 3_600_000;
/** Longest life, and the one unless it says otherwise, of a token for one use; how long what it opens may last, unless it says otherwise and at most; how many a space remembers as spent. */
export const maxOnceTokenTtlMs = 60_000;
export const defaultOnceStreamMs = 600_000;
export const maxOnceStreamMs = 3_600_000;
export const maxSpentTokens = 100_000;
/** Shortest secret that a deployment accepts, in bytes. */
export const minSecretBytes = 16;
/** Most bytes of values in one answer of a shard, well below the platform's 32 MiB for one RPC message. */
export const maxReplyBytes = 16_777_216;
/** Most bytes of values in one mutation call to a shard, for the same reason. */
export const maxMutateBytes = 16_777_216;
/** Longest bearer token, in characters; how many verified ones an isolate remembers. */
export const maxTokenLength = 4_096;
export const maxRememberedTokens = 1_000;
/** How far ahead of this clock a token's `iat` and `nbf` may be. Its `exp` has no such grace. */
export const tokenSkewMs = 60_000;
/** Most spaces, and most prefixes, that one token names. */
export const maxTokenScopes = 100;
/** Most entity tags in one `If-Match` or `If-None-Match`. */
export const maxEntityTags = 100;
/** Chunks of one import that are on their way at once, and the least time between two progress lines. */
export const importChunksInFlight = 3;
export const importProgressMs = 500;
/** How long an import waits for a shard that has too much to do, as long as none of its lines gets through. */
export const importPatienceMs = 60_000;
/** Most spaces whose nodes one process keeps; the least recently used one is forgotten first. */
export const maxSpacesPerNode = 64;
/** Most tags of one value, and the longest tag in bytes of UTF-8. */
export const maxTags = 16;
export const maxTagBytes = 128;
/** Ranges of policies: grace, time-outs of loads, windows, versions and ages of kept history, KV lives. */
export const maxGraceMs = 2_592_000_000;
export const maxLoadTimeoutMs = 120_000;
export const maxWindowMs = 3_600_000;
export const maxNegativeTtlMs = 3_600_000;
export const maxHistoryVersions = 10_000;
export const minHistoryAgeMs = 1_000;
export const maxHistoryAgeMs = 315_360_000_000;
export const minKvTtlMs = 60_000;
export const maxKvTtlMs = 2_592_000_000;
/** Claims on loads: how long one stands, how long another waits for it. */
export const minClaimTtlMs = 100;
export const maxClaimTtlMs = 120_000;
export const maxClaimWaitMs = 30_000;
/** Claims that one shard keeps, and as many that wait for one; the longest name of a holder, in characters. */
export const maxClaims = 10_000;
export const maxClaimHolderLength = 128;
/** How often an isolate or a shard reports its counts at most. */
export const minMetricsIntervalMs = 100;
export const defaultMetricsIntervalMs = 10_000;
export const maxMetricsIntervalMs = 300_000;
/** How long the meter remembers a reporter that is silent, and how many it remembers. */
export const reporterForgetMs = 86_400_000;
export const maxReporters = 20_000;
/** Most series of one report, and of the whole deployment. */
export const maxReportSeries = 2_000;
export const maxSeries = 5_000;
/** Elements that a merged list or set keeps at most, and unless its registration says otherwise. */
export const maxMergeElements = 10_000;
export const defaultMergeElements = 1_000;
/** Most nodes that a registration's quorum may want, and most zones that they must be in. */
export const maxQuorum = 64;
export const maxMinZones = 16;
/** Most operations in one branch of a transaction, and most comparisons. */
export const maxTransactionOperations = 128;
export const maxComparisons = 128;
/** Most bytes of values that a transaction's kept verdict carries; beyond it a repeat leaves them out. */
export const maxKeptResultBytes = 65_536;
/** Sessions of a shard that may have a node lease at a time, and the length of such a lease. */
export const maxLeaseHolders = 64;
export const nodeLeaseMs = 4_000;
/** Two clocks' rates differ by at most this share (assumption A1). */
export const clockRateMargin = 0.01;
/** How long after the start of its last confirmed write a shard takes itself for the authority. */
export const barrierMs = 2_000;
/** Keys of a shard that nodes may hold for strong reads, and patterns that it notes one by one for that. */
export const maxHeldKeys = 100_000;
export const maxNotedPatterns = 64;
/** Strong writes of a shard that are under way or wait. */
export const maxStrongWaiting = 10_000;
/** `warp.v1`: largest frame, in bytes; deepest nesting in one; most values in one as MessagePack; most calls of one session that are under way. */
export const maxFrameBytes = 33_554_432;
/** Of those who are no nodes, and of those who have not shown a token. */
export const maxWatcherFrameBytes = 4_194_304;
export const maxPendingFrameBytes = 16_384;
export const maxFrameDepth = 32;
export const maxFrameValues = 1_048_576;
export const maxSessionCalls = 1_024;
/** Who is no node: sockets and watches of one subject in one object, messages of one session a second, unless configured; the most that may be configured; how much of that rate may come at once. */
export const defaultSocketsPerSubject = 1_000;
export const defaultWatchesPerSubject = 20_000;
export const defaultMessagesPerSecond = 200;
export const maxSocketsPerSubject = 100_000;
export const maxWatchesPerSubject = 10_000_000;
export const maxMessagesPerSecond = 100_000;
export const messageBurstMs = 5_000;
/** How soon after the opening of a socket `hello` must come, and how often a node with a lease pings. */
export const helloTimeoutMs = 10_000;
export const heartbeatMs = 1_000;
/** A session that was silent for so long makes room where there are too many. */
export const sessionIdleMs = 60_000;
/** Sessions of one shard. */
export const maxSessions = 200;
/** Sessions of one shard, or relay, that were opened without a token and have not brought it yet. */
export const maxPendingSessions = 64;
/** For how long log entries, or a bus's messages, are gathered before the next push. */
export const coalesceMs = 16;
/** Entries in one push. */
export const maxPushEntries = 1_000;
/** How far a session may be behind with its pushes: beyond that they are left out. */
export const maxPushLag = 10_000;
/** Revisions without a log entry after which a session is told its position all the same. */
export const maxSilentRevisions = 1_000;
/** Bytes after which a session is asked whether it has them; bytes of pushes on their way from which on further ones wait. */
export const markBytes = 65_536;
export const slowBytes = 262_144;
export const maxUnreadBytes = 32 * 1_048_576;
export const minSlowBytes = 32_768;
/** How long pushes may wait for a session that takes in nothing. */
export const maxSlowMs = 10_000;
/** Sockets of nodes: how long one may take to be usable, bounds of the waits before the next attempt (full jitter). */
export const connectTimeoutMs = 10_000;
export const reconnectBaseMs = 100;
export const reconnectCapMs = 30_000;
/** A call waits for the next attempt if it is no further off than this; else it fails at once. */
export const patientMs = 1_000;
/** How long a refused connection is not tried again. */
export const refusedHoldMs = 30_000;
/** After which time without use a node closes a shard's socket. */
export const unusedSocketMs = 60_000;
/** Clients that are no nodes: how often one asks for a sign of life, and how soon it wants one when the network or the page has changed. */
export const beatMs = 15_000;
export const checkMs = 4_000;
/** How long before its end a token is renewed (at half of its life, if that is later), and after which time a failed renewal is tried again. */
export const renewBeforeMs = 60_000;
export const renewRetryMs = 4_000;
/** How long a tab that carries others may leave one without an answer: then another takes its place. */
export const tabSilenceMs = 6_000;
/** Changes that wait for a connection: how many, and bytes of their keys and values. */
export const defaultQueueOperations = 1_000;
export const defaultQueueBytes = 1_048_576;
/** Changes, and bytes of their values, that are sent together when there is a connection again. */
export const queueBatchOperations = 64;
export const queueBatchBytes = 262_144;
/** How long calls under way may take on a socket that the shard wants to be left. */
export const retireMs = 1_000;
/** How long a Worker isolate holds a subscription at most: below the platform's 30 s for work behind a request. */
export const subscriptionMs = 25_000;
/** After which time the next use opens the next one; to how many shards of a space an isolate subscribes. */
export const renewSubscriptionMs = 20_000;
export const maxSubscriptions = 8;
/** Events that wait for a slow listener of a sync bus; beyond, it is told that everything may have changed. */
export const maxQueuedBusEvents = 10_000;
/** Publications of a node that a sync bus has not yet answered; beyond, they fail. */
export const maxPendingPublishes = 10_000;
/** A watch whose reader is slow: bytes that wait for it, where shards go on, and publications that are not retained (in memory). */
export const maxWatchQueueBytes = 1_048_576;
export const watchResumeBytes = 262_144;
export const maxWaitingPublications = 1_000;
/** Watches: largest publication, in bytes; subscriptions of one session; bytes of values after which a frame of events ends. */
export const maxPublishBytes = 65_536;
export const maxSubscriptionsPerSession = 256;
export const maxWatchFrameBytes = 65_536;
/** Watches over HTTP: most events in one answer of a long poll; the silence after which a stream says that it is there; range and default of its life. */
export const maxChangesEvents = 1_000;
export const keepAliveMs = 15_000;
export const minRotateMs = 1_000;
export const defaultRotateMs = 600_000;
export const maxRotateMs = 86_400_000;
/** How many pages of the log one stretch takes in to bring a watcher up to date; after which time, or so many revisions, one for whom there was nothing is told its position. */
export const maxCatchUpPages = 8;
export const watchProgressMs = 15_000;
/** Presence: largest JSON of a member, in bytes; targets at which one session is shown; members of one shard or relay. */
export const maxPresenceBytes = 1_024;
export const maxShownPerSession = 16;
export const maxPresenceMembers = 20_000;
/** Members of one target who are told by name: beyond, only how many there are, so often. */
export const maxNamedMembers = 256;
export const presenceCountMs = 1_000;
/** Changes of members that a shard and a relay tell each other at a time. */
export const maxPresenceChanges = 500;
/** Bytes of subscriptions that go into a socket's attachment, which takes 16 KiB in all. */
export const maxAttachedBytes = 8_000;

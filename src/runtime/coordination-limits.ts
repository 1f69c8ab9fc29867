/** Numbers of locks, elections and leases. */

/** Locks: longest name, in bytes of UTF-8 (as that of a key), and longest owner, in characters. */
export const maxLockNameBytes = 512;
export const maxLockOwnerLength = 128;
/** Time to live of a grant or a lease: 100 ms to 24 h; of a grant unless it says otherwise. */
export const minLockTtlMs = 100;
export const maxLockTtlMs = 86_400_000;
export const defaultLockTtlMs = 30_000;
/** Longest wait for a lock, and longest part of it in one call. */
export const maxLockWaitMs = 3_600_000;
export const maxLockPollMs = 25_000;
/** Most permits of a semaphore. */
export const maxPermits = 10_000;
/** Longest time for which a name stays closed after a grant that ended without a release. */
export const maxLockDelayMs = 60_000;
/** Largest value of a grant (what an election's leader says), in bytes. */
export const maxLockValueBytes = 16_384;
/** Most lock commands, or lease commands, in one call. */
export const maxLockCommands = 128;
/** How soon a waiter must claim what it was offered; how long it may be silent between two polls, and until its place is given up. */
export const lockClaimMs = 3_000;
export const lockGraceMs = 5_000;
export const lockForgetMs = 60_000;
/** Most waiters of one name; most live grants, and most waiters, of one shard. */
export const maxLockWaiters = 1_000;
export const maxLiveGrants = 100_000;
export const maxWaiters = 100_000;
/** How long is known why a grant has ended; where it was forced. */
export const endedGrantMs = 600_000;
export const forcedGrantMs = 2_592_000_000;
/** Steps of an election that can be observed later: the newest of each. */
export const maxElectionEvents = 256;
/** How long the steps of an election that has no leader are kept. */
export const electionStepMs = 86_400_000;
/** Longest ticket of a waiter, in characters; tickets that shards give are shorter. */
export const maxLockTicketLength = 64;
/** Most holders of one name that an answer describes, and that a list describes of each name. */
export const maxToldHolders = 100;
export const maxListedHolders = 16;
/** Wall clocks of hosts that run an object one after the other differ by at most this (assumption A2). */
export const clockStepMs = 1_000;
/** Most keys of one attach or detach, most keys of one lease in a shard, most live leases of a shard. */
export const maxLeaseCallKeys = 1_000;
export const maxLeaseKeys = 100_000;
export const maxLeases = 100_000;
/** Keys of an ended lease that one commit takes; bounds of the waits before its end is carried to a shard again. */
export const leaseEndChunk = 256;
export const leaseRetryBaseMs = 200;
export const leaseRetryCapMs = 30_000;
/** After which time the home of a lease looks again whether its end was carried out. */
export const leaseWatchMs = 1_000;
/** How long a shard waits for another's answer about a lease: before keys are attached, and for the end of its keys. */
export const leaseJoinTimeoutMs = 5_000;
export const leaseEndTimeoutMs = 30_000;
/** How long an ended lease's id stays closed: longer than any call about it can be under way. */
export const leaseTombstoneMs = 600_000;
/** Time to live of a lease unless its handle says otherwise. */
export const defaultLeaseTtlMs = 60_000;
/** Longest life that a lease's `maxLifeMs` may name: 30 days. */
export const maxLeaseLifeMs = 2_592_000_000;

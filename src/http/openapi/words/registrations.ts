import { registrationBody } from "../../schemas/registrations.ts";
import { wordsOf } from "../words.ts";

/** Of bodies and queries about registrations. */
export const registrationWords = [
  wordsOf(registrationBody, {
    mode: "How far a read may lag. Default `eventual`. The last three are other names of the first three.",
    cacheTtlMs: "Life of a copy in L1. Default 300,000 (5 min).",
    maxStalenessMs: "Eventual mode: how far a read lags at most. Default 5,000.",
    graceMs: "Fail-safe: how long after its TTL a copy may still be given, marked stale, when loading fails.",
    softTimeoutMs: "A load that takes longer gives the stale copy now and goes on behind. Wants `graceMs`.",
    hardTimeoutMs: "A load that takes longer counts as failed for its waiters. Not below `softTimeoutMs`.",
    eagerRefresh: "Share of the TTL left from which on a hit starts one refresh behind.",
    sliding: "Each hit begins the TTL anew. Wants `maxLifeMs`; not with `adaptive`.",
    maxLifeMs: "Longest life of a sliding copy. Not below `cacheTtlMs`.",
    adaptive: "A TTL that follows demand.",
    frequency: "A TTL that grows with quick re-access and shrinks with slow. Not with `adaptive`.",
    jitter: "Share of the TTL by which each life is shortened at random.",
    negativeTtlMs: "Life in L1 of the knowledge that there is no such key.",
    allowStale: "Reads give a copy in its grace at once, marked stale. Wants `graceMs`.",
    history: "Versions that are kept: by number, by age, or both bounds.",
    kvTtlMs: "Life in a second tier in Workers KV. Not with `strong`.",
    merge:
      "The rule by which a write is merged into the stored value: `last-write-wins`, `sum`, `max`, `min`, `append`, `union`, `deep-merge`, or a function of the deployment's own. Absent: a write replaces.",
    mergeMaxElements: "With `append` and `union`: most elements that are kept, the newest. Default 1,000.",
    quorum: "Strong mode: how many other nodes must have dropped the key before a write commits.",
    minZones: "Strong mode, with `quorum`: in how many different zones those nodes must be.",
    loadSharing: "Who shares one run of a `getOrSet` source. Default `node`.",
  }),
];

import type { ClientFrame, ServerFrame } from "../../src/protocol/wire/frames.ts";
import type { WireCall } from "../../src/protocol/wire/requests.ts";

export const scope = { space: "app", shard: 0, spaceId: "a1", registrations: 0 };
export const payload = { bytes: Uint8Array.of(0, 255, 34, 92), contentType: "a/b" };
const place = { name: "jobs", owner: "me" };
export const opId = "01930f6e-7a00-7000-8000-000000000000/web";

const guard = { lock: "jobs", fence: 7 };

/** One good call of each method. */
export const calls: readonly WireCall[] = [
  { m: "read", a: [{ ...scope, drain: "1790-12", keys: ["a", "\ud800", "é"], strong: true, hold: true }] },
  {
    m: "mutate",
    a: [
      {
        ...scope,
        mutations: [
          { kind: "set", opId, key: "k", payload, expiresInMs: 5, tags: ["t"], when: { anyOf: "*" } },
          { kind: "merge", opId, key: "k", operand: payload, lease: "lease0123456789ab" },
          { kind: "restore", opId, key: "k", version: 3 },
          { kind: "delete", opId, key: "k", when: { noneOf: ["a.1"] } },
          // Left out, a guard would let through what it was to refuse.
          { kind: "set", opId, key: "k", payload, guard },
          { kind: "merge", opId, key: "k", operand: payload, guard },
          { kind: "restore", opId, key: "k", version: 3, guard },
          { kind: "delete", opId, key: "k", guard },
          { kind: "invalidate", opId, key: "k" },
          { kind: "invalidatePrefix", opId, prefix: "" },
          { kind: "invalidateTag", opId, tag: "t" },
        ],
      },
    ],
  },
  {
    m: "transact",
    a: [
      {
        ...scope,
        transaction: {
          opId,
          compare: [
            { key: "a", version: 1, is: "less" },
            { key: "a", exists: false },
            { key: "a", value: payload.bytes },
            { key: "a", when: { anyOf: "*" } },
            { key: "jobs", fence: 7 },
          ],
          success: [
            { kind: "set", key: "a", payload, replace: true },
            { kind: "merge", key: "b", operand: payload },
            { kind: "delete", key: "c" },
            { kind: "get", key: "d" },
            { kind: "set", key: "e", payload, guard },
            { kind: "merge", key: "f", operand: payload, guard },
            { kind: "delete", key: "g", guard },
          ],
          failure: [],
        },
      },
    ],
  },
  { m: "resolve", a: [{ ...scope, opIds: [opId], seal: true }] },
  { m: "list", a: [{ ...scope, prefix: "", after: "k", limit: 10, values: true }] },
  { m: "changes", a: [{ ...scope, epoch: "00000000000000aa", since: 0, limit: 10_000 }] },
  { m: "usage", a: [scope] },
  { m: "readVersion", a: [{ ...scope, key: "k", which: { version: 3 } }] },
  { m: "history", a: [{ ...scope, key: "k", before: 3, limit: 10 }] },
  { m: "claimLoad", a: [{ ...scope, key: "k", holder: "h", ttlMs: 100, waitMs: 0, release: true }] },
  { m: "getSpace", a: ["app"] },
  {
    m: "createSpace",
    a: [
      "app",
      {
        shards: 2,
        strict: true,
        storage: { name: "upstash", write: "through", throughTimeoutMs: 10, keepBytes: 0 },
        fallback: "upstash",
      },
    ],
  },
  { m: "deleteSpace", a: ["app", "begin", "a1"] },
  { m: "getRegistrations", a: [{ ...scope, spaceId: undefined }] },
  {
    m: "register",
    a: [
      {
        ...scope,
        pattern: "a:*",
        settings: { mode: "strong", cacheTtlMs: 1, maxStalenessMs: 1 },
        ifVersion: 3,
      },
    ],
  },
  { m: "unregister", a: [{ ...scope, pattern: "a:*" }] },
  {
    m: "lock",
    a: [
      {
        ...scope,
        commands: [
          {
            kind: "acquire",
            opId,
            ...place,
            as: "semaphore",
            ttlMs: 1_000,
            permits: 3,
            take: 2,
            waitMs: 5,
            delayMs: 1,
            value: payload,
            endsWithSession: true,
          },
          { kind: "claim", opId, ...place, ticket: "t" },
          { kind: "cancel", opId, ...place, ticket: "t" },
          { kind: "renew", opId, ...place, fence: 7, ttlMs: 100 },
          { kind: "release", opId, ...place, fence: 7 },
          { kind: "confirm", opId, ...place, fence: 7 },
          { kind: "proclaim", opId, ...place, fence: 7, value: payload },
          { kind: "force", opId, name: "jobs", fence: 7, by: "web" },
        ],
      },
    ],
  },
  { m: "waitLock", a: [{ ...scope, ...place, ticket: "t", waitMs: 25_000 }] },
  { m: "lockInfo", a: [{ ...scope, name: "jobs" }] },
  { m: "listLocks", a: [{ ...scope, prefix: "j", after: "jobs", limit: 10 }] },
  { m: "observe", a: [{ ...scope, name: "jobs", after: 3, epoch: "00000000000000aa", waitMs: 0 }] },
  {
    m: "lease",
    a: [
      {
        ...scope,
        commands: [
          { kind: "grant", opId, id: "lease0123456789ab", ttlMs: 1_000, onEnd: "delete", maxLifeMs: 9_000 },
          { kind: "grant", opId, id: "lease0123456789ab", ttlMs: 1_000, onEnd: "invalidate" },
          { kind: "keepAlive", opId, id: "lease0123456789ab" },
          { kind: "revoke", opId, id: "lease0123456789ab" },
          { kind: "attach", opId, id: "lease0123456789ab", keys: ["a", "b"] },
          { kind: "detach", opId, id: "lease0123456789ab", keys: [] },
        ],
      },
    ],
  },
  { m: "leaseInfo", a: [{ ...scope, id: "lease0123456789ab" }] },
  { m: "listLeases", a: [{ ...scope, after: "lease", limit: 10 }] },
  { m: "leaseKeys", a: [{ ...scope, id: "lease0123456789ab", after: "a", limit: 1_000 }] },
  {
    m: "publish",
    a: [
      {
        ...scope,
        opId: "op",
        target: { prefix: "" },
        payload: { bytes: new Uint8Array([0, 10, 255]), contentType: "a/b" },
        retained: true,
      },
    ],
  },
];

export const clientFrames: readonly ClientFrame[] = [
  { t: "hello", v: 1, node: "node-0001", zone: "z", cursor: { epoch: "00000000000000aa", revision: 7 } },
  { t: "hello", v: 1, node: "node-0001", follow: false },
  { t: "hello", v: 1, node: "node-0001", fallback: "1790000000000-12" },
  { t: "beat" },
  { t: "ping", id: 3, lease: true },
  { t: "ack", inv: 2 },
  { t: "seen", n: 3 },
  { t: "bye" },
  { t: "sub", id: 1, key: "a", mode: "all", from: "now" },
  { t: "sub", id: 2, prefix: "", mode: "keys", from: "snapshot", ops: ["set", "publish"] },
  { t: "sub", id: 3, prefix: "\u0000", mode: "latest", from: { epoch: "0123456789abcdef", revision: 7 } },
  { t: "sub", id: 4, key: "a", mode: "all", from: "now", presence: true },
  { t: "here", id: 4, data: { name: "Ada", at: [1, null, "\u0000"] } },
  { t: "here", id: 4, data: null },
  { t: "unsub", id: 1 },
  { t: "auth", id: 4, token: "t" },
  ...calls.map(({ m, a }, id) => ({ t: "call" as const, id, m, a })),
];

export const serverFrames: readonly ServerFrame[] = [
  {
    t: "welcome",
    session: "s",
    subject: "web",
    epoch: "e",
    revision: 3,
    heartbeatMs: 1,
    leaseMs: 0,
    maxFrameBytes: 5,
    resumed: "gap",
    shards: 4,
    expiresAtMs: 6,
  },
  { t: "ok", id: 1, r: { epoch: "e", asOf: 1, registrations: 0, entries: [null, { key: "k", payload }] } },
  { t: "err", id: 1, e: { code: "overloaded", message: "m", outcome: "fail", retryable: true } },
  {
    t: "ev",
    epoch: "e",
    after: 1,
    to: 3,
    es: [
      [2, "set", "k"],
      [3, "intent", "\u0000"],
    ],
  },
  { t: "inv", n: 1, epoch: "e", at: 3, keys: ["k"], prefixes: [""], tags: ["t"] },
  { t: "prog", epoch: "e", to: 3 },
  { t: "gap", epoch: "e", to: 3, why: "slow" },
  { t: "pong", id: 1, epoch: "e", to: 3, leaseMs: 4_000 },
  { t: "beat" },
  { t: "mark", n: 3 },
  { t: "lost", name: "jobs", fence: 7, reason: "forced" },
  { t: "go", withinMs: 3 },
  { t: "on", id: 1, epoch: "e", revision: 3, live: true },
  { t: "gap", id: 1, epoch: "e", to: 3, why: "compacted" },
  { t: "missed", n: 3 },
  {
    t: "pres",
    id: 4,
    all: true,
    es: [
      ["m-1", { name: "Ada" }],
      ["m-2", null],
    ],
    n: 2,
    me: "m-1",
  },
  { t: "end", id: 1, e: { code: "forbidden", message: "m", outcome: "fail", retryable: false } },
  {
    t: "we",
    id: 1,
    epoch: "e",
    after: 1,
    to: 5,
    es: [
      [2, "set", "k", 2, "a/b", "AP8iXA=="],
      [3, "publish", "k", 0, "a/b", null],
      [4, "delete", "k", 0],
    ],
  },
  {
    t: "snap",
    id: 1,
    epoch: "e",
    to: 5,
    es: [
      ["k", 2, "a/b", "AP8iXA=="],
      ["l", 3],
    ],
    first: true,
    done: true,
  },
  { t: "msg", es: [["publishPrefix", "k", "a/b", "AP8iXA=="]] },
];

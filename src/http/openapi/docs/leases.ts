import type { RouteDoc } from "../route-doc.ts";

const opId = "01930f6e-7a00-7000-8000-000000000000";
const id = "01930f6e7a0070008000000000000000";
const path = `/v1/shop/leases/${id}`;
const told = { opId, replayed: false };
const lease = {
  id,
  ttlMs: 900_000,
  remainingMs: 890_000,
  onEnd: "invalidate",
  grantedAtMs: 1_800_000_000_000,
  shards: [0],
};

/** Leases. */
export const leaseDocs: Readonly<Record<string, RouteDoc>> = {
  "POST /v1/{space}/leases": {
    group: "Leases",
    text: "Grants a lease. When it ends, because nobody kept it alive for `ttlMs`, because of `maxLifeMs` or by a revoke, every copy of its keys is dropped on every node; with `onEnd` `delete` the keys are deleted.",
    gives: "json",
    statuses: { 201: "The lease." },
    headers: ["Warp-Op-Id"],
    problems: ["invalid_ttl", "op_sealed", "space_deleting", "unsupported"],
    example: {
      path: "/v1/shop/leases",
      body: { ttlMs: 900_000, onEnd: "invalidate" },
      answer: { id, ttlMs: 900_000, remainingMs: 900_000, onEnd: "invalidate", ...told },
    },
  },
  "GET /v1/{space}/leases": {
    group: "Leases",
    text: "Live leases in order of their ids.",
    gives: "json",
    statuses: { 200: "A page." },
    problems: ["unsupported"],
    example: { path: "/v1/shop/leases", answer: { items: [lease] } },
  },
  "POST /v1/{space}/leases/keepalive": {
    group: "Leases",
    text: "Keeps up to 128 leases alive, each with its own verdict: `remainingMs`, or the error.",
    gives: "json",
    statuses: { 200: "One result for each, in order." },
    headers: ["Warp-Op-Id"],
    problems: ["batch_too_large", "unsupported"],
    example: {
      path: "/v1/shop/leases/keepalive",
      body: { ids: [id] },
      answer: { results: [{ id, ok: true, remainingMs: 900_000 }] },
    },
  },
  "GET /v1/{space}/leases/{id}": {
    group: "Leases",
    text: "A live lease: what is left of its time, and the shards that may have keys of it.",
    gives: "json",
    statuses: { 200: "The lease." },
    problems: ["lease_not_found", "unsupported"],
    example: { path, answer: lease },
  },
  "DELETE /v1/{space}/leases/{id}": {
    group: "Leases",
    text: "Ends a lease now, whoever granted it. Answered when every key of it is dealt with on every shard; where the deadline passes before that, the outcome is `unknown` and the end is carried on: repeat the call with the same op id to wait on. Wants the verbs `write` and `delete` for all of its keys.",
    gives: "json",
    statuses: { 200: "It has ended, everywhere." },
    headers: ["Warp-Op-Id"],
    problems: ["lease_not_found", "op_sealed", "unsupported"],
    example: { path, answer: { id, revoked: true, ...told } },
  },
  "POST /v1/{space}/leases/{id}/keepalive": {
    group: "Leases",
    text: "The time to live begins anew, up to `maxLifeMs` after the grant. What has ended stays ended.",
    gives: "json",
    statuses: { 200: "It is live for `remainingMs`." },
    headers: ["Warp-Op-Id"],
    problems: ["lease_not_found", "op_sealed", "unsupported"],
    example: { path: `${path}/keepalive`, answer: { id, remainingMs: 900_000, ...told } },
  },
  "GET /v1/{space}/leases/{id}/keys": {
    group: "Leases",
    text: "The keys of a lease that lie within the token's prefixes. A page may be empty and yet have a `cursor`.",
    gives: "json",
    statuses: { 200: "A page." },
    problems: ["lease_not_found", "unsupported"],
    example: { path: `${path}/keys`, answer: { items: ["user:1"] } },
  },
  "PUT /v1/{space}/leases/{id}/keys": {
    group: "Leases",
    text: "Attaches up to 1,000 keys, which need not exist; those of one shard all together or not at all. A key may be attached to several leases: the first end counts. Wants the verbs `write` and `delete`, since the end may delete them. A put attaches its key with `?lease=`.",
    gives: "json",
    statuses: { 200: "They are attached; `changed` of them were not before." },
    headers: ["Warp-Op-Id"],
    problems: ["lease_not_found", "batch_too_large", "op_sealed", "unsupported"],
    example: {
      path: `${path}/keys`,
      body: { keys: ["user:1", "user:2"] },
      answer: { id, changed: 2, ...told },
    },
  },
  "DELETE /v1/{space}/leases/{id}/keys": {
    group: "Leases",
    text: "Detaches up to 1,000 keys: the end of the lease does nothing to them any more. The keys stand in the body, as with an attach.",
    gives: "json",
    statuses: { 200: "They are not attached; `changed` of them were before." },
    headers: ["Warp-Op-Id"],
    problems: ["lease_not_found", "batch_too_large", "op_sealed", "unsupported"],
    example: { path: `${path}/keys`, body: { keys: ["user:2"] }, answer: { id, changed: 1, ...told } },
  },
};

import type { RouteDoc } from "../route-doc.ts";

const etag = "9f3c1a2b4d5e6f70.3";
const json = { "Content-Type": "application/json" };
const opId = "01930f6e-7a00-7000-8000-000000000000";
const provisional =
  "The shard can't be reached: the change waits in the space's fallback and is applied once. `provisional` is true.";
const revision = "9f3c1a2b4d5e6f70.3";

/** One key, and pages of keys. */
export const keyDocs: Readonly<Record<string, RouteDoc>> = {
  "GET /v1/{space}/keys/{key+}": {
    group: "Keys",
    text: "The bytes as they were stored, with their content type. `HEAD` is the same without them. `If-None-Match` gives 304 while nothing has changed. `?version=` and `?at=` read what is kept of the past; only one of the three parameters at a time.",
    gives: "bytes",
    statuses: { 200: "The value.", 304: "Nothing has changed since the tag in `If-None-Match`." },
    headers: ["If-Match", "If-None-Match"],
    problems: ["not_found", "precondition_failed", "unregistered", "version_compacted"],
    example: { path: "/v1/shop/keys/user:1" },
  },
  "PUT /v1/{space}/keys/{key+}": {
    group: "Keys",
    text: "Stores the body's bytes with their content type. A space that does not exist is made by its first write. Where the key's registration has a merge rule the body is merged as an operand, unless `?replace=true`.",
    takes: "bytes",
    gives: "json",
    statuses: { 201: "Stored; the key is new.", 200: "Stored; the key existed.", 202: provisional },
    headers: ["Content-Type", "If-Match", "If-None-Match", "Warp-Fence", "Warp-Op-Id"],
    problems: [
      "lease_not_found",
      "stale_fence",
      "unregistered",
      "merge_failed",
      "quorum_failed",
      "space_deleting",
    ],
    example: {
      path: "/v1/shop/keys/user:2?expiresInMs=3600000&tags=team-7",
      headers: json,
      body: { name: "Ada" },
      answer: { key: "user:2", version: 3, etag, revision, opId, replayed: false, created: true },
    },
  },
  "POST /v1/{space}/keys/{key+}": {
    group: "Keys",
    text: "Merges the body, an operand, into the stored value by the rule that the key's registration names in `merge`. It runs at the authority, inside the commit, so that nothing is lost between concurrent merges. The rules that come with Warp take JSON, whatever its content type says. A rule that can't leaves the old value as it is. Life and tags stay unless they are named.",
    takes: "bytes",
    gives: "json",
    statuses: { 200: "Merged.", 201: "Stored as the first operand; the key is new.", 202: provisional },
    headers: ["Content-Type", "If-Match", "If-None-Match", "Warp-Fence", "Warp-Op-Id"],
    problems: [
      "lease_not_found",
      "stale_fence",
      "merge_rule_missing",
      "merge_failed",
      "quorum_failed",
      "unregistered",
      "space_deleting",
    ],
    example: {
      path: "/v1/shop/keys/visits:home",
      headers: json,
      body: "1",
      answer: { key: "visits:home", version: 3, etag, revision, opId, replayed: false, created: true },
    },
  },
  "DELETE /v1/{space}/keys/{key+}": {
    group: "Keys",
    text: "Deletes the key from the storage and from every cache. One that was absent is no error.",
    gives: "json",
    statuses: { 200: "The key is gone.", 202: provisional },
    headers: ["If-Match", "If-None-Match", "Warp-Fence", "Warp-Op-Id"],
    problems: ["stale_fence", "unregistered", "space_deleting"],
    example: {
      path: "/v1/shop/keys/user:1",
      answer: { key: "user:1", version: 0, revision, opId, replayed: false, existed: true },
    },
  },
  "GET /v1/{space}/keys": {
    group: "Keys",
    text: "A page of keys in order of their UTF-8 bytes. No `cursor` in the answer: this was the last page. `asOf` has one log position for each shard.",
    gives: "json",
    statuses: { 200: "The page." },
    problems: [],
    example: {
      path: "/v1/shop/keys?prefix=user:&limit=2&values=true",
      answer: {
        items: [
          {
            key: "user:1",
            version: 3,
            etag,
            sizeBytes: 14,
            modifiedAtMs: 1_800_000_000_000,
            tags: ["team-7"],
            contentType: "application/json",
            json: { name: "Ada" },
          },
        ],
        asOf: [revision],
      },
    },
  },
};

import * as v from "valibot";
import { maxBatchOperations } from "../../../runtime/limits.ts";
import { batchOperation } from "../../schemas/batch.ts";
import type { RouteDoc } from "../route-doc.ts";

const revision = "9f3c1a2b4d5e6f70.3";
const opId = "01930f6e-7a00-7000-8000-000000000000";

/** Many keys in one call, and dropping copies. */
export const manyDocs: Readonly<Record<string, RouteDoc>> = {
  "POST /v1/{space}/batch": {
    group: "Many keys",
    text: "Operations as if done in order, each with its own verdict; not atomic. A value is exactly one of `json`, `text` and `base64`; of a `merge` it is the operand. `guard`, of a set, merge or delete, names a lock and the fence under which it must be held. A malformed body refuses the whole batch before anything is done.",
    body: v.strictObject({
      operations: v.pipe(v.array(batchOperation), v.minLength(1), v.maxLength(maxBatchOperations)),
    }),
    gives: "json",
    statuses: { 200: "One result for each operation, in order." },
    headers: ["Warp-Op-Id"],
    problems: ["batch_too_large", "space_deleting"],
    example: {
      path: "/v1/shop/batch",
      body: {
        operations: [
          { op: "set", key: "a", json: { n: 1 }, tags: ["team-7"] },
          { op: "get", key: "a" },
        ],
      },
      answer: {
        results: [
          {
            op: "set",
            key: "a",
            ok: true,
            version: 3,
            etag: revision,
            revision,
            opId,
            existed: false,
            replayed: false,
          },
          {
            op: "get",
            key: "a",
            ok: true,
            found: true,
            version: 3,
            revision,
            cache: "hit",
            etag: revision,
            modifiedAtMs: 1_800_000_000_000,
            tags: ["team-7"],
            contentType: "application/json",
            json: { n: 1 },
          },
        ],
      },
    },
  },
  "POST /v1/{space}/import": {
    group: "Many keys",
    text: "Stores one record per line, as it stands; a line whose `merge` is true is merged as an operand instead. The answer comes while the import runs: progress, up to 100 failing lines by number, and the counts as the last line. A report without `done` broke off.",
    takes: "ndjson",
    gives: "ndjson",
    statuses: { 200: "The report, line by line." },
    headers: ["Warp-Op-Id"],
    problems: [],
    example: {
      path: "/v1/shop/import",
      headers: { "Content-Type": "application/x-ndjson" },
      body: '{"key":"user:2","json":{"name":"Grace"}}\n{"key":"user:3","text":"plain","tags":["team-7"]}\n',
      answer: '{"done":{"lines":2,"imported":2,"failed":0}}',
    },
  },
  "GET /v1/{space}/export": {
    group: "Many keys",
    text: "Every key, or those with a prefix, one record per line, as import takes them. Trouble in the middle breaks the transfer off.",
    gives: "ndjson",
    statuses: { 200: "The records." },
    problems: [],
    example: {
      path: "/v1/shop/export?prefix=user:",
      answer: '{"key":"user:1","contentType":"application/json","json":{"name":"Ada"}}',
    },
  },
  "POST /v1/{space}/invalidate": {
    group: "Caches",
    text: "Drops keys, everything with a prefix (empty: all), or everything with one of the tags from every cache; what is stored stays. Exactly one of the three. `local` drops only the copies of the node that answers.",
    gives: "json",
    statuses: { 200: "Dropped." },
    headers: ["Warp-Op-Id"],
    problems: ["batch_too_large", "invalid_key"],
    example: {
      path: "/v1/shop/invalidate",
      body: { tags: ["team-7"] },
      answer: { scope: "global", opId, revisions: [revision] },
    },
  },
  "POST /v1/{space}/warmup": {
    group: "Caches",
    text: "Loads into the cache of the node that answers what the storage has of every registered pattern, or of the given ones. The answer streams progress; keys that fail are named, the others go on.",
    gives: "ndjson",
    statuses: { 200: "Progress, line by line; the last has `done`." },
    problems: ["invalid_pattern"],
    example: {
      path: "/v1/shop/warmup",
      body: { patterns: ["user:*"] },
      answer: '{"done":{"loaded":1,"failed":0}}',
    },
  },
};

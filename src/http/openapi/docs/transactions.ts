import type { RouteDoc } from "../route-doc.ts";

const revision = "9f3c1a2b4d5e6f70.3";
const opId = "01930f6e-7a00-7000-8000-000000000000";
const example = { path: `/v1/shop/operations/${opId}?key=user:1` };

/** All or nothing, and what became of it. */
export const transactionDocs: Readonly<Record<string, RouteDoc>> = {
  "POST /v1/{space}/txn": {
    group: "Transactions",
    text: "If every comparison holds, `success` is carried out, else `failure`: all of it at one revision, or nothing. A comparison has exactly one of `version` (0: absent; `is` says `equal`, `notEqual`, `less` or `greater`), `exists`, a value (`json`, `text` or `base64`: the very bytes), `ifMatch` and `ifNoneMatch` of a key, or the `fence` of a lock whose name is the `key`: it is held under it. It is judged at the authority, never on a copy. Comparisons that do not hold are no error: `succeeded` is false. An operation's own `ifMatch`, `ifNoneMatch` or `guard` that fails refuses the whole. All keys and compared locks lie in one shard (keys with the same `{tag}` do), and a branch changes a key once. Values of gets beyond 8 MiB in all are left out, marked `omitted`.",
    gives: "json",
    statuses: { 200: "Which branch was taken, and one result for each of its operations, in order." },
    headers: ["Warp-Op-Id"],
    problems: [
      "invalid_key",
      "invalid_ttl",
      "invalid_version",
      "value_too_large",
      "batch_too_large",
      "duplicate_key",
      "cross_shard",
      "precondition_failed",
      "lease_not_found",
      "stale_fence",
      "unregistered",
      "merge_rule_missing",
      "merge_failed",
      "quorum_failed",
      "write_interrupted",
      "op_sealed",
      "space_deleting",
    ],
    example: {
      path: "/v1/shop/txn",
      body: {
        compare: [{ key: "user:2", exists: false }],
        success: [
          { op: "set", key: "user:2", json: { name: "Grace" } },
          { op: "get", key: "user:1" },
        ],
        failure: [{ op: "get", key: "user:2" }],
      },
      answer: {
        succeeded: true,
        version: 3,
        revision,
        opId,
        replayed: false,
        results: [
          { op: "set", key: "user:2", version: 3, etag: revision, existed: false },
          {
            op: "get",
            key: "user:1",
            found: true,
            version: 2,
            etag: "9f3c1a2b4d5e6f70.2",
            modifiedAtMs: 1_800_000_000_000,
            contentType: "application/json",
            json: { name: "Ada" },
          },
        ],
      },
    },
  },
  "GET /v1/{space}/operations/{operation}": {
    group: "Transactions",
    text: "What became of the caller's own operation when its answer was lost. `ok` with the version that it gave, `fail` with the kept error, `pending` while it is under way, `unseen` where no shard has seen it: it may still come. `sealed` where it never will. An op id is known for 5 minutes.",
    gives: "json",
    statuses: { 200: "Its state." },
    problems: ["invalid_op_id", "invalid_key", "op_id_expired"],
    example: { ...example, answer: { opId, state: "unseen" } },
  },
  "POST /v1/{space}/operations/{operation}/seal": {
    group: "Transactions",
    text: "The same, and what was not seen is made definite: should it come late, it is refused with `op_sealed`. Without `key` that holds on every shard of the space.",
    gives: "json",
    statuses: { 200: "Its state, which is never `unseen`." },
    problems: ["invalid_op_id", "invalid_key", "op_id_expired"],
    example: {
      path: `/v1/shop/operations/${opId}/seal`,
      body: { key: "user:1" },
      answer: { opId, state: "sealed" },
    },
  },
};

import type { RouteDoc } from "../route-doc.ts";

const epoch = "9f3c1a2b4d5e6f70";
const opId = "01930f6e-7a00-7000-8000-000000000000";

/** What is kept of the past. */
export const versionDocs: Readonly<Record<string, RouteDoc>> = {
  "GET /v1/{space}/history/{key+}": {
    group: "Versions",
    text: "The kept versions of a key, newest first, without their values: what changed, when and how much. A delete and an expiry are versions too. How many are kept is said by the `history` of the key's registration. Where `more` is true, ask on with `before` as the last version of the page.",
    gives: "json",
    statuses: { 200: "The page." },
    problems: ["unsupported", "unregistered"],
    example: {
      path: "/v1/shop/history/user:1?limit=2",
      answer: {
        key: "user:1",
        versions: [
          {
            version: 3,
            etag: `${epoch}.3`,
            kind: "set",
            atMs: 1_800_000_000_000,
            sizeBytes: 14,
            contentType: "application/json",
            tags: ["team-7"],
          },
        ],
        more: false,
        floor: 2,
        revision: `${epoch}.3`,
      },
    },
  },
  "POST /v1/{space}/restore/{key+}": {
    group: "Versions",
    text: "Makes a kept version the present value, as a new version with the old bytes, content type and tags.",
    gives: "json",
    statuses: { 200: "Restored." },
    headers: ["If-Match", "If-None-Match", "Warp-Fence", "Warp-Op-Id"],
    problems: ["stale_fence", "not_found", "version_compacted", "unsupported", "unregistered"],
    example: {
      path: "/v1/shop/restore/user:1",
      body: { version: 2 },
      answer: {
        key: "user:1",
        version: 4,
        etag: `${epoch}.4`,
        revision: `${epoch}.4`,
        opId,
        replayed: false,
        restored: 2,
      },
    },
  },
};

import type { RouteDoc } from "../route-doc.ts";

const cursor = "9f3c1a2b4d5e6f70.3";
const opId = "01930f6e-7a00-7000-8000-000000000000";

/** What happens, as it happens. */
export const watchDocs: Readonly<Record<string, RouteDoc>> = {
  "GET /v1/{space}/watch": {
    group: "Watching",
    text: "Each change of `key`, or of all keys with `prefix`, in the order of the log, with what is published: as server-sent events, or, where the call asks to upgrade, over a WebSocket. `from` is `now`, `snapshot` or a cursor; `Last-Event-ID` goes before it. `ops` are some of `set,delete,expire,publish`. `event` is the kind, `id` the cursor, `data` a line of JSON. A comment comes after 15 s of silence; a stream ends after 10 minutes with `rotate`. Kinds and close codes: docs/http.md.",
    gives: "events",
    statuses: {
      200: "The stream has begun.",
      101: "The socket is open; each message is a JSON object.",
    },
    problems: ["invalid_key", "protocol_mismatch", "space_not_found", "unsupported"],
    example: { path: "/v1/shop/watch?prefix=user:&from=snapshot" },
  },
  "GET /v1/{space}/changes": {
    group: "Watching",
    text: "What has happened to `key`, or to all keys with `prefix`, since a cursor; without one, the present cursor. Where nothing has happened it waits for the first event. Events that share a revision come together, also beyond `limit`. With `gap` what happened can't be told: read the keys, then go on with `cursor`.",
    gives: "json",
    statuses: { 200: "Events in order, maybe none, and where to go on." },
    problems: ["invalid_key", "space_not_found", "unsupported"],
    example: {
      path: `/v1/shop/changes?prefix=user:&since=${cursor}&waitMs=1000`,
      answer: {
        cursor,
        events: [
          {
            kind: "set",
            key: "user:1",
            version: 3,
            revision: 3,
            shard: 0,
            cursor,
            contentType: "application/json",
            json: { name: "Ada" },
          },
        ],
      },
    },
  },
  "POST /v1/{space}/publish/{key+}": {
    group: "Watching",
    text: "Tells the body, at most 64 KiB, to those who watch the key or a prefix of it; nothing is stored. With `prefix` the path names a prefix: it goes to those whose key or prefix begins with it, and to those whose prefix begins it. With `retained` it stays in the log and is told to those who resume later.",
    takes: "bytes",
    gives: "json",
    statuses: { 200: "Told. `revisions`: where it stands in the logs that keep it." },
    headers: ["Warp-Op-Id", "Content-Type"],
    problems: ["space_not_found"],
    example: {
      path: "/v1/shop/publish/room:1?retained=true",
      headers: { "Content-Type": "application/json" },
      body: '{"text":"hello"}',
      answer: { opId, revisions: [cursor] },
    },
  },
};

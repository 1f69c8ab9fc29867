import type { RouteDoc } from "../route-doc.ts";

const opId = "01930f6e-7a00-7000-8000-000000000000";
const grant = { name: "nightly", owner: "worker-1", fence: 7, ttlMs: 30_000, remainingMs: 30_000, count: 1 };
const leader = {
  owner: "worker-1",
  fence: 8,
  kind: "election",
  ttlMs: 30_000,
  remainingMs: 29_000,
  count: 1,
  take: 1,
  contentType: "application/json",
  json: { url: "http://10.0.0.1" },
};
const cursor = "9f3c1a2b4d5e6f70.8";

const against = ["invalid_lock", "invalid_ttl", "lock_lost", "not_owner", "op_sealed"] as const;
const wanting = [
  "invalid_lock",
  "value_too_large",
  "lock_held",
  "lock_waiting",
  "lock_lost",
  "not_owner",
  "ticket_not_found",
  "wrong_kind",
  "op_sealed",
  "space_deleting",
  "unsupported",
] as const;

/** Locks and elections. */
export const lockDocs: Readonly<Record<string, RouteDoc>> = {
  "POST /v1/{space}/locks/{name+}": {
    group: "Locks",
    text: "Acquires a lock for `owner`, for `ttlMs` from the grant on. A success is a grant, always: where another has it the answer is `lock_held`, or with `waitMs` and after at most 25 s `lock_waiting` with a `ticket` and a `position`. Then call again with `owner` and `ticket` within 5 s; the place in the queue is kept, first come, first served. `fence` only grows, over all grants of the shard: send it along with guarded writes. `remainingMs` is what was left when the grant was given or claimed.",
    gives: "json",
    statuses: { 201: "The caller has it." },
    headers: ["Warp-Op-Id"],
    problems: wanting,
    example: {
      path: "/v1/shop/locks/nightly",
      body: { owner: "worker-1", ttlMs: 30_000, waitMs: 10_000 },
      answer: { ...grant, opId, replayed: false },
    },
  },
  "PATCH /v1/{space}/locks/{name+}": {
    group: "Locks",
    text: "The grant's time to live begins anew; with `ttlMs` another one does. What has ended stays ended: `lock_lost`, with `reason` and the present holder's `fence`.",
    gives: "json",
    statuses: { 200: "The grant is live, for at least `ttlMs`." },
    headers: ["Warp-Op-Id"],
    problems: against,
    example: {
      path: "/v1/shop/locks/nightly",
      body: { owner: "worker-1", fence: 7 },
      answer: { ...grant, opId, replayed: false },
    },
  },
  "GET /v1/{space}/locks/{name+}": {
    group: "Locks",
    text: "Who holds it and how many wait; of a name that nobody uses: nobody. `forced` tells of the last end by an admin within 30 days. With `owner` and `fence` it is asked whether this very grant is live: the authority's commit proves the answer. The first wants the verb `read`, the second `lock`.",
    gives: "json",
    statuses: { 200: "Its state, or the live grant." },
    problems: ["invalid_lock", "lock_lost", "not_owner"],
    example: {
      path: "/v1/shop/locks/nightly",
      answer: {
        name: "nightly",
        holders: [
          {
            owner: "worker-1",
            fence: 7,
            kind: "mutex",
            ttlMs: 30_000,
            remainingMs: 29_000,
            count: 1,
            take: 1,
          },
        ],
        waiters: 0,
      },
    },
  },
  "DELETE /v1/{space}/locks/{name+}": {
    group: "Locks",
    text: "With `owner` and `fence` it releases the grant: the next waiter gets it at once. `count` says how often a re-entrant one is still to be released. With `owner` and `ticket` it leaves the queue, and releases what was given under the ticket meanwhile. With `force=true`, for admins alone, it ends every grant of the name, or that of `fence`, and keeps who did it.",
    gives: "json",
    statuses: { 200: "Done." },
    headers: ["Warp-Op-Id"],
    problems: [...against, "ticket_not_found"],
    example: {
      path: "/v1/shop/locks/nightly?owner=worker-1&fence=7",
      answer: { name: "nightly", released: true, count: 0 },
    },
  },
  "GET /v1/{space}/locks": {
    group: "Locks",
    text: "Names in use, locks and elections alike: held, waited for, or closed for a while. Holders beyond 16 of a name are counted in `omitted`, and values are left out.",
    gives: "json",
    statuses: { 200: "A page." },
    problems: [],
    example: { path: "/v1/shop/locks?prefix=night", answer: { items: [] } },
  },
  "POST /v1/{space}/elections/{name+}": {
    group: "Elections",
    text: "Campaigns for `owner`, with a value (`json`, `text` or `base64`) that others can read. As with a lock a success is the leadership; with `waitMs` the candidate stands in the queue. The leader renews by `PATCH`.",
    gives: "json",
    statuses: { 201: "The caller is the leader." },
    headers: ["Warp-Op-Id"],
    problems: wanting,
    example: {
      path: "/v1/shop/elections/scheduler",
      body: { owner: "worker-1", ttlMs: 30_000, json: { url: "http://10.0.0.1" } },
      answer: { ...grant, name: "scheduler", fence: 8, opId, replayed: false },
    },
  },
  "PATCH /v1/{space}/elections/{name+}": {
    group: "Elections",
    text: "With a value the leader says something else from now on, without one it renews its leadership, maybe with another `ttlMs`. Both at once are refused.",
    gives: "json",
    statuses: { 200: "The caller is the leader." },
    headers: ["Warp-Op-Id"],
    problems: [...against, "value_too_large"],
    example: {
      path: "/v1/shop/elections/scheduler",
      body: { owner: "worker-1", fence: 8, json: { url: "http://10.0.0.2" } },
      answer: { ...grant, name: "scheduler", fence: 8, remainingMs: 29_000, opId, replayed: false },
    },
  },
  "GET /v1/{space}/elections/{name+}": {
    group: "Elections",
    text: "The leader, or null. With `after`, the `cursor` of another answer, what has happened since, in order: `elected`, `proclaimed`, `ended`; if nothing has, the call waits for up to `waitMs`. `gap`: steps in between are not kept any more, and the present leader is told instead.",
    gives: "json",
    statuses: { 200: "The leader, or the steps." },
    problems: ["invalid_lock", "invalid_cursor", "unsupported"],
    example: {
      path: "/v1/shop/elections/scheduler",
      answer: { name: "scheduler", leader, candidates: 0, cursor },
    },
  },
  "DELETE /v1/{space}/elections/{name+}": {
    group: "Elections",
    text: "With `owner` and `fence` the leader resigns, and the next candidate is elected at once. With `owner` and `ticket` a candidate leaves the queue. With `force=true` an admin ends the leadership.",
    gives: "json",
    statuses: { 200: "Done." },
    headers: ["Warp-Op-Id"],
    problems: [...against, "ticket_not_found"],
    example: {
      path: "/v1/shop/elections/scheduler?owner=worker-1&fence=8",
      answer: { name: "scheduler", released: true, count: 0 },
    },
  },
};

/** What each route does in one sentence, by method and path: apart from the routes, which the Worker carries with it. */
export const summaries: Readonly<Record<string, string>> = {
  "GET /": "What this is, and its routes.",
  "GET /errors": "The codes of errors: where the `type` of a problem leads.",
  "POST /v1/{space}/batch":
    "Up to 1,000 gets, sets, merges, deletes and invalidations, each with its own verdict.",
  "GET /v1/{space}/connect": "A WebSocket to one shard: `warp.v1`.",
  "POST /v1/{space}/elections/{name+}": "Campaigns: 201 for the leader, else 409; may wait in the queue.",
  "PATCH /v1/{space}/elections/{name+}": "The leader proclaims a value, or renews.",
  "GET /v1/{space}/elections/{name+}": "The leader; with `after` what has happened since, as a long poll.",
  "DELETE /v1/{space}/elections/{name+}":
    "Resigns, or leaves the queue; admins may end the leadership of others.",
  "GET /v1/{space}/export": "Every key with a prefix, one record per line, as import takes them.",
  "GET /healthz": "Whether the process answers.",
  "GET /readyz": "Whether it would serve: a deployment without a secret is not ready unless it is open.",
  "POST /v1/{space}/import":
    "Stores one record per line; the answer streams progress, failing lines and the counts.",
  "POST /v1/{space}/invalidate":
    "Drops keys, a prefix or what has a tag from every cache and keeps the stored values.",
  "GET /v1/{space}/keys/{key+}":
    "The value's bytes with their content type; `If-None-Match` gives 304, `If-Match` 412.",
  "PUT /v1/{space}/keys/{key+}": "Stores the body's bytes: 201 for a new key, 200 for one that existed.",
  "POST /v1/{space}/keys/{key+}": "Merges the body into the value by the rule of the key's registration.",
  "DELETE /v1/{space}/keys/{key+}":
    "Deletes the key from storage and every cache; one that was absent is no error.",
  "POST /v1/{space}/leases": "Grants a lease: a group of keys that ends at once, by its time or by a word.",
  "GET /v1/{space}/leases": "A page of live leases.",
  "POST /v1/{space}/leases/keepalive": "Keeps several leases alive, each with its own verdict.",
  "GET /v1/{space}/leases/{id}": "A live lease and what is left of its time.",
  "DELETE /v1/{space}/leases/{id}":
    "Revokes a lease; answered when every key of it is dealt with on every shard.",
  "POST /v1/{space}/leases/{id}/keepalive": "Keeps a lease alive: its time to live begins anew.",
  "GET /v1/{space}/leases/{id}/keys":
    "A page of a lease's keys, so far as they lie within the token's prefixes.",
  "PUT /v1/{space}/leases/{id}/keys": "Attaches keys to a lease.",
  "DELETE /v1/{space}/leases/{id}/keys": "Detaches keys from a lease: its end does nothing to them.",
  "GET /v1/{space}/keys": "A page of keys in order of their UTF-8 bytes, with their values if asked.",
  "POST /v1/{space}/locks/{name+}": "Acquires a lock: 201 with its fence, else 409; may wait in the queue.",
  "PATCH /v1/{space}/locks/{name+}": "Renews a grant: its time to live begins anew.",
  "GET /v1/{space}/locks/{name+}":
    "Who holds a lock and how many wait; with owner and fence: whether this grant is live.",
  "DELETE /v1/{space}/locks/{name+}":
    "Releases a grant, or leaves the queue; admins may end the grants of others.",
  "GET /v1/{space}/locks": "A page of names in use, locks and elections, in order of their bytes.",
  "GET /metrics": "The metrics of the whole deployment, for Prometheus.",
  "GET /v1/{space}/operations/{operation}": "What became of the caller's own operation of this op id.",
  "POST /v1/{space}/operations/{operation}/seal":
    "The same, and what was not seen is refused should it come late.",
  "POST /v1/{space}/publish/{key+}":
    "Tells the body to those who watch the key, or whom the prefix concerns; nothing is stored.",
  "GET /openapi.json": "This description, as OpenAPI 3.1.",
  "GET /docs": "This description as a page.",
  "GET /v1/{space}/registrations": "All registrations that the token may see.",
  "GET /v1/{space}/registrations/{pattern+}": "One registration, with its version as ETag.",
  "DELETE /v1/{space}/registrations/{pattern+}": "Removes a registration.",
  "GET /v1/{space}": "Settings and usage of a space.",
  "PUT /v1/{space}": "Creates a space; the same settings again confirm, others are a conflict.",
  "DELETE /v1/{space}": "Deletes a space and all its data.",
  "POST /tokens": "Mints a scoped token that is never wider than the one that asks.",
  "POST /v1/{space}/txn":
    "Compares, then carries out one of two lists of operations: all at one revision, or nothing.",
  "GET /v1/{space}/history/{key+}": "The kept versions of a key, newest first, without their values.",
  "POST /v1/{space}/restore/{key+}": "Makes a kept version the present value.",
  "POST /v1/{space}/warmup":
    "Loads what is registered into the cache of the node that answers; streams progress.",
  "GET /v1/{space}/watch":
    "Each change of a key or a prefix as it happens: server-sent events, or a WebSocket.",
  "GET /v1/{space}/changes": "What has happened to a key or a prefix since a cursor, as a long poll.",
  "PUT /v1/{space}/registrations/{pattern+}":
    'Registers a pattern, or changes it with `If-Match: "<version>"`.',
};

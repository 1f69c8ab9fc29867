/**
 * Workers KV for `npm run serve`: speaks the HTTP protocol that workerd's KV binding sends, keeps the data in one SQLite object, and
 * enforces Cloudflare's limits, the 60 s minimum of a life above all, so that nothing works here that fails there. Unlike the real
 * one it is consistent at once.
 */

const limits = {
  minExpirationTtlSeconds: 60,
  minCacheTtlSeconds: 30,
  maxKeyBytes: 512,
  maxValueBytes: 25 * 1_048_576,
  maxMetadataBytes: 1_024,
  maxListKeys: 1_000,
  maxBulkKeys: 100,
};

/** What is asked of the object's storage. */
interface ObjectState {
  readonly storage: {
    readonly sql: {
      exec(query: string, ...bindings: (string | number | ArrayBuffer | null)[]): { toArray(): unknown[] };
    };
  };
}

interface Row {
  readonly key: string;
  readonly value: ArrayBuffer;
  readonly metadata: string | null;
  /** Seconds since 1970; null: no end. */
  readonly expiration: number | null;
}

/** A refusal: the binding shows status and text to the caller. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Stub {
  fetch(request: Request): Promise<Response>;
}

export default {
  fetch: (request: Request, env: { STORE: { idFromName(name: string): unknown; get(id: unknown): Stub } }) =>
    env.STORE.get(env.STORE.idFromName("store")).fetch(request),
};

/** All entries of the namespace. */
export class KvStore {
  readonly #sql: ObjectState["storage"]["sql"];

  constructor(state: ObjectState) {
    this.#sql = state.storage.sql;
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, metadata TEXT, expiration INTEGER) WITHOUT ROWID",
    );
  }

  async fetch(request: Request): Promise<Response> {
    try {
      return await this.#answer(request, new URL(request.url));
    } catch (error) {
      if (error instanceof Refusal) return new Response(error.message, { status: error.status });
      throw error;
    }
  }

  async #answer(request: Request, url: URL): Promise<Response> {
    if (request.method === "GET" && url.pathname === "/") return this.#list(url.searchParams);
    if (request.method === "POST" && url.pathname === "/bulk/get") return this.#bulk(await request.json());
    const key = keyOf(url);
    if (request.method === "GET") return this.#get(key, url.searchParams);
    if (request.method === "PUT") return await this.#put(key, request, url.searchParams);
    if (request.method === "DELETE") {
      this.#sql.exec("DELETE FROM entries WHERE key = ?", key);
      return new Response();
    }
    throw new Refusal(405, "Method Not Allowed");
  }

  #row(key: string): Row | undefined {
    const rows = this.#sql.exec(
      "SELECT * FROM entries WHERE key = ? AND (expiration IS NULL OR expiration > ?)",
      key,
      now(),
    );
    return rows.toArray()[0] as Row | undefined;
  }

  #get(key: string, query: URLSearchParams): Response {
    const cacheTtl = query.get("cache_ttl");
    if (cacheTtl !== null && !(Number(cacheTtl) >= limits.minCacheTtlSeconds)) {
      throw new Refusal(
        400,
        `Invalid cache_ttl of ${cacheTtl}. Cache TTL must be at least ${limits.minCacheTtlSeconds}.`,
      );
    }
    const row = this.#row(key);
    if (row === undefined) throw new Refusal(404, "Not Found");
    const headers = new Headers();
    if (row.expiration !== null) headers.set("CF-Expiration", String(row.expiration));
    if (row.metadata !== null) headers.set("CF-KV-Metadata", row.metadata);
    return new Response(row.value, { headers });
  }

  #bulk(body: unknown): Response {
    const { keys, type, withMetadata } = body as { keys: string[]; type?: string; withMetadata?: boolean };
    if (!Array.isArray(keys) || keys.length < 1 || keys.length > limits.maxBulkKeys) {
      throw new Refusal(400, `You can request 1 to ${limits.maxBulkKeys} keys`);
    }
    const found: Record<string, unknown> = {};
    for (const key of keys) {
      const row = this.#row(checked(key));
      const text = row === undefined ? null : new TextDecoder().decode(row.value);
      const value = text !== null && type === "json" ? parse(text) : text;
      const metadata = row?.metadata == null ? null : parse(row.metadata);
      found[key] = withMetadata === true && value !== null ? { value, metadata } : value;
    }
    return Response.json(found);
  }

  async #put(key: string, request: Request, query: URLSearchParams): Promise<Response> {
    // Read before anything is refused: the binding waits for ever on a body that nobody takes.
    const value = await request.arrayBuffer();
    const expiration = expirationOf(query);
    const metadata = request.headers.get("CF-KV-Metadata");
    if (metadata !== null && utf8Length(metadata) > limits.maxMetadataBytes) {
      throw new Refusal(413, `Metadata exceeds limit of ${limits.maxMetadataBytes}.`);
    }
    if (value.byteLength > limits.maxValueBytes) {
      throw new Refusal(413, `Value length of ${value.byteLength} exceeds limit of ${limits.maxValueBytes}.`);
    }
    this.#sql.exec(
      "INSERT OR REPLACE INTO entries (key, value, metadata, expiration) VALUES (?, ?, ?, ?)",
      key,
      value,
      metadata,
      expiration,
    );
    // A few dead rows with each write: no timer, and the table never grows by what has ended.
    this.#sql.exec(
      "DELETE FROM entries WHERE key IN (SELECT key FROM entries WHERE expiration <= ? LIMIT 10)",
      now(),
    );
    return new Response();
  }

  #list(query: URLSearchParams): Response {
    const limit = Number(query.get("key_count_limit") ?? limits.maxListKeys);
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= limits.maxListKeys)) {
      throw new Refusal(
        400,
        `Invalid key_count_limit. Please specify an integer from 1 to ${limits.maxListKeys}.`,
      );
    }
    const prefix = query.get("prefix") ?? "";
    const after = query.get("cursor") ?? "";
    const rows = this.#sql
      .exec(
        "SELECT key, metadata, expiration FROM entries WHERE substr(key, 1, ?) = ? AND key > ? AND (expiration IS NULL OR expiration > ?) ORDER BY key LIMIT ?",
        [...prefix].length,
        prefix,
        after === "" ? "" : decodeURIComponent(after),
        now(),
        limit + 1,
      )
      .toArray() as Omit<Row, "value">[];
    const page = rows.slice(0, limit);
    const keys = page.map(({ key, metadata, expiration }) => ({
      name: key,
      ...(expiration === null ? {} : { expiration }),
      ...(metadata === null ? {} : { metadata }),
    }));
    const last = page.at(-1);
    return rows.length > limit && last !== undefined
      ? Response.json({ keys, list_complete: false, cursor: encodeURIComponent(last.key), cacheStatus: null })
      : Response.json({ keys, list_complete: true, cacheStatus: null });
  }
}

function keyOf(url: URL): string {
  const raw = url.pathname.slice(1);
  if (url.searchParams.get("urlencoded")?.toLowerCase() !== "true") return checked(raw);
  try {
    return checked(decodeURIComponent(raw));
  } catch (error) {
    if (error instanceof URIError) throw new Refusal(400, "Could not URL-decode key name");
    throw error;
  }
}

function checked(key: string): string {
  if (key === "") throw new Refusal(400, "Key names must not be empty");
  if (key === "." || key === "..") throw new Refusal(400, `Illegal key name "${key}".`);
  if (utf8Length(key) > limits.maxKeyBytes) {
    throw new Refusal(
      414,
      `UTF-8 encoded length of ${utf8Length(key)} exceeds key length limit of ${limits.maxKeyBytes}.`,
    );
  }
  return key;
}

function expirationOf(query: URLSearchParams): number | null {
  const ttl = query.get("expiration_ttl");
  const moment = query.get("expiration");
  if (ttl === null && moment === null) return null;
  const expiration = ttl === null ? Number(moment) : now() + Number(ttl);
  if (!Number.isInteger(expiration) || expiration < now() + limits.minExpirationTtlSeconds) {
    throw new Refusal(
      400,
      `Invalid ${ttl === null ? `expiration of ${moment}` : `expiration_ttl of ${ttl}`}. It must be at least ${limits.minExpirationTtlSeconds} seconds ahead.`,
    );
  }
  return expiration;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "At least one of the requested keys corresponds to a non-json value");
  }
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function now(): number {
  return Math.floor(Date.now() / 1_000);
}

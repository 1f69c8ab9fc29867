import type { Payload } from "../protocol/payload.ts";
import { utf8 } from "../runtime/bytes.ts";
import type { Sql } from "../runtime/sql.ts";

/** A change that the storage behind the shard has to hear of. */
export interface OutboxEntry {
  readonly revision: number;
  readonly seq: number;
  readonly key: string;
  /** When it was made, by the log's time. */
  readonly atMs: number;
  /** Absent: the key is gone. */
  readonly put?: {
    readonly version: number;
    readonly payload: Payload;
    readonly tags: readonly string[] | undefined;
    readonly expiresAtMs: number | undefined;
  };
}

/**
 * Writes down what the storage behind the shard has to hear of, in the commit that changes the key. It is a part of every shard, though few need it: a
 * change must find it here whoever makes it, also where what carries it on is not loaded yet.
 */
export class Outbox {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  add({ revision, seq, key, atMs, put }: OutboxEntry): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      revision,
      seq,
      utf8(key),
      atMs,
      put?.version ?? 0,
      put?.expiresAtMs ?? null,
      put?.payload.contentType ?? null,
      put?.tags === undefined || put.tags.length === 0 ? null : JSON.stringify(put.tags),
      put?.payload.bytes ?? null,
    );
  }
}

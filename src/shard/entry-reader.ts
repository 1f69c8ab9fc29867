import type { Payload } from "../protocol/payload.ts";
import type { ChangeKind } from "../protocol/shard-api.ts";
import type { PublicationKind } from "../protocol/watch.ts";
import { fromUtf8 } from "../runtime/bytes.ts";
import { blob, type Sql, type SqlRow } from "../runtime/sql.ts";

/** An entry of the log without its value. */
export interface EntryHead {
  readonly revision: number;
  /** Its place among the entries of its revision. */
  readonly seq: number;
  readonly kind: ChangeKind | PublicationKind;
  readonly key: string;
  /** The key's version after it; 0: absent. */
  readonly version: number;
  /** Of the value that it brought; undefined where it brought none. The value may be gone all the same. */
  readonly contentType: string | undefined;
}

/** Entries of a log as those who watch need them: heads first, and the values of those that somebody wants. */
export class EntryReader {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The heads after revision `after` up to `to`, in order, at most `limit`. */
  heads(after: number, to: number, limit: number): EntryHead[] {
    return this.#sql
      .all<HeadRow>(
        "SELECT revision, seq, kind, key, version, content_type FROM log WHERE revision > ? AND revision <= ? ORDER BY revision, seq LIMIT ?",
        after,
        to,
        limit,
      )
      .map(({ revision, seq, kind, key, version, content_type }) => ({
        revision,
        seq,
        kind,
        key: fromUtf8(blob(key)),
        version,
        contentType: content_type ?? undefined,
      }));
  }

  /** What an entry brought; undefined: nothing, it was too large, or it is no longer kept. */
  payload({ revision, seq, contentType }: EntryHead): Payload | undefined {
    if (contentType === undefined) return undefined;
    const [row] = this.#sql.all("SELECT value FROM log WHERE revision = ? AND seq = ?", revision, seq);
    return row === undefined || row.value === null ? undefined : { bytes: blob(row.value), contentType };
  }
}

type HeadRow = SqlRow & {
  revision: number;
  seq: number;
  kind: EntryHead["kind"];
  version: number;
  content_type: string | null;
};

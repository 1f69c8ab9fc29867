import type { LockEnd, LockKind } from "../../protocol/lock.ts";
import type { Payload } from "../../protocol/payload.ts";
import { fromUtf8 } from "../../runtime/bytes.ts";
import { blob, type SqlRow, type SqlValue } from "../../runtime/sql.ts";

/** A text that was stored as its bytes. */
export function textOf(row: SqlRow, column: string): string {
  return fromUtf8(blob(row[column]));
}

export function optionalText(value: SqlValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}

/** The value in `value` and `value_type`, if there is one. */
export function payloadIn(row: SqlRow): Payload | undefined {
  const type = optionalText(row.value_type);
  if (type === undefined) return undefined;
  return { bytes: blob(row.value), contentType: type };
}

/** Its two columns. */
export function payloadColumns(payload: Payload | undefined): [SqlValue, SqlValue] {
  return payload === undefined ? [null, null] : [payload.bytes, payload.contentType];
}

/** What a grant and a waiter have in common. */
export function termsIn(row: SqlRow) {
  return {
    name: textOf(row, "name"),
    owner: textOf(row, "owner"),
    kind: String(row.kind) as LockKind,
    permits: Number(row.permits),
    take: Number(row.take),
    ttlMs: Number(row.ttl),
    delayMs: Number(row.delay),
    value: payloadIn(row),
    session: optionalText(row.session),
    endsWithSession: Number(row.ends_with_session) === 1,
  };
}

export function endReason(value: SqlValue | undefined): LockEnd {
  return String(value) as LockEnd;
}

/** A limit as a part of the statement. Bound to it, SQLite would plan the statement anew each time, which costs more than to carry it out. For limits of the code alone: each has a statement of its own. */
export function limitTo(limit: number): string {
  return `LIMIT ${Math.floor(limit)}`;
}

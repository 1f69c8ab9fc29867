import { WarpError } from "../errors.ts";
import { formatCursor, parseCursor } from "../protocol/position.ts";

/** A place in one shard's log. */
export interface LogPlace {
  readonly epoch: string;
  readonly revision: number;
}

/** A cursor of a watch: one place for each shard that it follows, in their order. Undefined where one has none yet. */
export function formatWatchCursor(places: readonly (LogPlace | undefined)[]): string | undefined {
  const parts: string[] = [];
  for (const place of places) {
    if (place === undefined) return undefined;
    parts.push(formatCursor(place));
  }
  return parts.join("~");
}

/** The places in a cursor of a watch that follows `shards` shards. Throws `invalid_cursor`. */
export function parseWatchCursor(cursor: string, shards: number): readonly LogPlace[] {
  const places = cursor.split("~", shards + 1).map(parseCursor);
  if (places.length === shards) return places;
  throw new WarpError("invalid_cursor", `the cursor is of ${places.length} shards, not of ${shards}`, {
    details: { field: "cursor" },
  });
}

/** The refusal of a cursor that names what has not happened yet. */
export function cursorAhead(): WarpError {
  return new WarpError("invalid_cursor", "the cursor lies ahead of the log", {
    details: { field: "cursor" },
  });
}

import { type Reader, text, whole, wrongAt } from "./check.ts";

/** A list of rows that begin with members of these types, and go on with texts, or bytes. */
function rows(...heads: readonly Reader<unknown>[]): Reader<readonly unknown[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw wrongAt(at, "a list");
    for (const row of value) {
      if (!Array.isArray(row)) throw wrongAt(at, "a list of lists");
      heads.forEach((head, place) => void head(row[place], at));
      for (const rest of row.slice(heads.length)) {
        if (rest !== null && !(rest instanceof Uint8Array)) text(rest, at);
      }
    }
    return value;
  };
}

/** Readers of rows in frames of a shard. */
export const readRows = {
  events: rows(whole(), text, text, whole()),
  states: rows(text, whole()),
  messages: rows(text, text),
  members: rows(text, (data) => data),
} as const;

import { fromUtf8 } from "../runtime/bytes.ts";

/** Control characters, and those that change the direction of text: what could lie to a reader of a terminal. */
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** A key or a name on a line of its own: as it is, or as a JSON string in ASCII where it would break the line or the terminal. */
export function shownName(name: string): string {
  return unsafe.test(name) || name.startsWith('"') ? quoted(name) : name;
}

/** `text` as a JSON string with every unsafe character escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(new RegExp(unsafe, "gu"), (found) =>
    [...units(found)].map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join(""),
  );
}

function* units(text: string): Generator<number> {
  for (let i = 0; i < text.length; i++) yield text.charCodeAt(i);
}

/** A value on a line with other things: short text as it is, other text as JSON, bytes by their number. */
export function shownValue(bytes: Uint8Array, contentType: string): string {
  try {
    return shownName(fromUtf8(bytes));
  } catch {
    return `(${bytes.byteLength} bytes of ${shownName(contentType)})`;
  }
}

/** One line, whatever a server put into its message. */
export function oneLine(text: string): string {
  return text.replace(new RegExp(unsafe, "gu"), " ").trim();
}

/** Columns, aligned; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
        .join("  "),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** Unix ms as ISO 8601 in UTC. */
export function shownTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** How a write ended, behind the key's name. */
export function writtenAs({
  version,
  provisional,
  storage,
}: {
  readonly version: number;
  readonly provisional?: true;
  readonly storage?: "pending";
}): string {
  if (provisional === true) return waits;
  return `is at version ${version}${storage === undefined ? "" : ", the storage behind it is not yet (pending)"}`;
}

/** What became of a change whose shard could not be reached. */
export const waits = "will be changed: its shard can't be reached, the change waits (provisional)";

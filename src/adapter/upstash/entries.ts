import { WarpError } from "../../errors.ts";
import type { Position } from "../../protocol/position.ts";
import type { ChangeKind } from "../../protocol/shard-api.ts";
import { readStored, type Stored } from "../../upstash/envelope.ts";
import type { Change, ListedKey, StoredEntry } from "../adapter.ts";

/** An entry from what the read script gave; undefined: the key is absent. Throws `decode_failed`. */
export function entryOf(
  key: string,
  form: string,
  asOf: Position,
  nowMs: number | undefined,
): StoredEntry | undefined {
  if (form === "") return undefined;
  const stored = read(key, form, asOf);
  if (stored.payload === undefined)
    throw new WarpError("decode_failed", "a stored value came without content", { details: { key } });
  return { key, payload: stored.payload, ...factsOf(stored, nowMs) };
}

/** A key from what the list script gave. Throws `decode_failed`. */
export function listedKey(key: string, form: string, asOf: Position, nowMs: number | undefined): ListedKey {
  const stored = read(key, form, asOf);
  const { sizeBytes, contentType, payload } = stored;
  const facts = { key, sizeBytes, contentType, ...factsOf(stored, nowMs) };
  return payload === undefined ? facts : { ...facts, payload };
}

/** Names the key of what can't be read: who got it by a list has to know what to overwrite. */
function read(key: string, form: string, { epoch }: Position): Stored {
  try {
    return readStored(form, epoch);
  } catch (cause) {
    if (!(cause instanceof WarpError)) throw cause;
    throw new WarpError(cause.code, cause.message, { details: { key } });
  }
}

function factsOf(
  { version, modifiedAtMs, endsAtMs, tags }: Stored,
  nowMs: number | undefined,
): Pick<StoredEntry, "version" | "modifiedAtMs" | "expiresInMs" | "tags"> {
  // The script has looked at the time where there was an end.
  const expiresInMs = endsAtMs === undefined || nowMs === undefined ? undefined : endsAtMs - nowMs;
  return {
    version,
    modifiedAtMs,
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(tags === undefined ? {} : { tags }),
  };
}

const kinds: Readonly<Record<string, ChangeKind>> = {
  s: "set",
  d: "delete",
  e: "expire",
  i: "invalidate",
  p: "invalidatePrefix",
  t: "invalidateTag",
  r: "register",
};

/** A log entry: its revision, the letter of its kind, its key. Throws `decode_failed`. */
export function logEntry(text: string): Change {
  const form = /^([0-9]+)([a-z])/.exec(text);
  const kind = kinds[form?.[2] ?? ""];
  if (form === null || kind === undefined) {
    throw new WarpError("decode_failed", "an entry of the space's log has no form that can be read");
  }
  return { revision: Number(form[1]), kind, key: text.slice(form[0].length) };
}

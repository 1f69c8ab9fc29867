import { WarpError } from "../errors.ts";
import { fromUtf8 } from "../runtime/bytes.ts";

/** What Redis answered. Strings have one character for each byte: see {@link textOf} and {@link bytesOf}. */
export type Reply = string | number | null | readonly Reply[];

/** A reply as it came, its strings in base64 (`OK` stands for itself: it is no base64). Throws `storage_unavailable` for what is none. */
export function readReply(raw: unknown): Reply {
  if (raw === null || typeof raw === "number") return raw;
  if (Array.isArray(raw)) return raw.map(readReply);
  if (typeof raw === "string") {
    if (raw === "OK") return raw;
    try {
      return atob(raw);
    } catch {
      // Told below, without the content.
    }
  }
  throw new WarpError(
    "storage_unavailable",
    "the storage's answer is not in the encoding that was asked for",
  );
}

/** The bytes of a reply's string. */
export function bytesOf(reply: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(reply.length);
  for (let i = 0; i < reply.length; i++) bytes[i] = reply.charCodeAt(i);
  return bytes;
}

/** A reply's string read as UTF-8. Throws a TypeError where it is not UTF-8. */
export function textOf(reply: string): string {
  return /^[\0-\x7f]*$/.test(reply) ? reply : fromUtf8(bytesOf(reply));
}

/** A reply that must be a list. Throws `storage_unavailable`. */
export function listOf(reply: Reply): readonly Reply[] {
  if (Array.isArray(reply)) return reply;
  throw unexpected("a list");
}

/** A reply that must be a string. Throws `storage_unavailable`. */
export function stringOf(reply: Reply | undefined): string {
  if (typeof reply === "string") return reply;
  throw unexpected("a string");
}

function unexpected(what: string): WarpError {
  return new WarpError("storage_unavailable", `the storage answered something else than ${what}`);
}

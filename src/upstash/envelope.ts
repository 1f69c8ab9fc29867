import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { fromBase64, fromUtf8, toBase64 } from "../runtime/bytes.ts";
import { bytesOf } from "./reply.ts";

/** What a stored form begins with. The scripts write what follows it: epoch, version, time of the change, end of life (empty: none). */
export const envelopeMark = "warp1;";
/** What the scripts give for a value that others wrote as it is: version and time, then `=` and its bytes. */
export const plainMark = "plain1;";

/** A stored value as it was read. */
export interface Stored {
  readonly epoch: string;
  readonly version: number;
  readonly modifiedAtMs: number;
  readonly endsAtMs: number | undefined;
  readonly contentType: string;
  readonly tags: readonly string[] | undefined;
  readonly sizeBytes: number;
  /** Absent where only its size was asked for. */
  readonly payload: Payload | undefined;
}

/** The part of a stored form that its writer knows: content type, tags and value, in ASCII whatever they hold. */
export function envelopeBody(payload: Payload, tags: readonly string[] | undefined): string {
  const named = (tags ?? []).map(encodeURIComponent).join(",");
  return `${encodeURIComponent(payload.contentType.toWellFormed())};${named};${toBase64(payload.bytes)}`;
}

/** Reads what a script gave for a key: an envelope, or a value of others; its content, or `#` and its size. Throws `decode_failed`. */
export function readStored(text: string, epoch: string): Stored {
  try {
    if (text.startsWith(plainMark)) return readPlain(text.slice(plainMark.length), epoch);
    if (text.startsWith(envelopeMark)) return readEnvelope(text.slice(envelopeMark.length));
  } catch {
    // Told below: what is wrong with a value is not to be quoted.
  }
  throw new WarpError("decode_failed", "a stored value has no form that can be read");
}

function readEnvelope(text: string): Stored {
  const [epoch = "", version, modified, ends, type, tags, content, more] = text.split(";");
  if (content === undefined || more !== undefined || !/^[0-9a-f]{16}$/.test(epoch)) throw new Error();
  const contentType = decodeURIComponent(type ?? "");
  return {
    epoch,
    version: whole(version),
    modifiedAtMs: whole(modified),
    endsAtMs: ends === "" ? undefined : whole(ends),
    contentType,
    tags: tags === "" ? undefined : tags?.split(",").map(decodeURIComponent),
    ...contentOf(content, (base64) => ({ bytes: fromBase64(base64), contentType })),
  };
}

/** What others write has no type: JSON where it is JSON, text where it is UTF-8, else bytes. */
function readPlain(text: string, epoch: string): Stored {
  const head = /^([0-9]+);([0-9]+);/.exec(text);
  const [before = "", version, modified] = head ?? [];
  const read = contentOf(text.slice(before.length), (content) => {
    const bytes = bytesOf(content.slice(1));
    return { bytes, contentType: guessType(bytes) };
  });
  return {
    epoch,
    version: whole(version),
    modifiedAtMs: whole(modified),
    endsAtMs: undefined,
    contentType: read.payload?.contentType ?? "application/octet-stream",
    tags: undefined,
    ...read,
  };
}

function contentOf(
  content: string,
  read: (content: string) => Payload,
): Pick<Stored, "sizeBytes" | "payload"> {
  if (content.startsWith("#")) return { sizeBytes: whole(content.slice(1)), payload: undefined };
  const payload = read(content);
  return { sizeBytes: payload.bytes.length, payload };
}

function guessType(bytes: Uint8Array): string {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return "application/octet-stream";
  }
  try {
    JSON.parse(text);
    return "application/json";
  } catch {
    return "text/plain; charset=utf-8";
  }
}

function whole(text: string | undefined): number {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text)) throw new Error();
  return Number(text);
}

import { type ErrorCode, WarpError } from "../errors.ts";
import { fromUtf8 } from "../runtime/bytes.ts";
import { essence, isJson } from "./content-type.ts";
import { shown } from "./target.ts";

function tooLarge(code: ErrorCode, maxBytes: number): WarpError {
  const what = code === "value_too_large" ? "value" : "body";
  return new WarpError(code, `the ${what} has more than ${maxBytes} bytes`, { details: { maxBytes } });
}

/** Refuses a body that says it is encoded: bytes are kept as they come, and `Content-Encoding` is not kept with them. */
function checkEncoding(request: Request): void {
  const encoding = request.headers.get("Content-Encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new WarpError(
      "unsupported_media_type",
      "Content-Encoding is not supported; send the bytes themselves",
    );
  }
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/** The next chunk of a body. Throws `aborted` where the sender broke off: nobody is left to hear of it, and nothing is wrong here. */
export async function readChunk(reader: BodyReader): Promise<Awaited<ReturnType<BodyReader["read"]>>> {
  try {
    return await reader.read();
  } catch (cause) {
    throw new WarpError("aborted", "the body broke off", { cause });
  }
}

/**
 * The bytes of a body, at most `maxBytes`: a longer one is refused by its `Content-Length`, or as soon as it exceeds the bound, and
 * never held beyond it. Throws `code`.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  code: "value_too_large" | "body_too_large",
): Promise<Uint8Array> {
  checkEncoding(request);
  const declared = request.headers.get("Content-Length");
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(code, maxBytes);
  if (request.body === null) return new Uint8Array(0);
  // The server holds a body to its declared length, so the host may collect it: several times faster than reading it here.
  if (declared !== null) return await collected(request, maxBytes, code);
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await readChunk(reader);
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      // The rest is not wanted; a sender that is gone by now changes nothing about the answer.
      await reader.cancel().catch(() => undefined);
      throw tooLarge(code, maxBytes);
    }
    chunks.push(value);
  }
  const only = chunks[0];
  // A lone chunk is taken as it is, unless it is a small window on a large buffer that a cache would keep alive.
  if (chunks.length === 1 && only !== undefined && only.byteLength === only.buffer.byteLength) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

async function collected(
  request: Request,
  maxBytes: number,
  code: "value_too_large" | "body_too_large",
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await request.arrayBuffer());
  } catch (cause) {
    throw new WarpError("aborted", "the body broke off", { cause });
  }
  if (bytes.byteLength > maxBytes) throw tooLarge(code, maxBytes);
  return bytes;
}

/** A JSON body, or undefined for an empty one. Throws `unsupported_media_type`, `body_too_large`, `invalid_json`. */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const type = request.headers.get("Content-Type");
  const bytes = await readBody(request, maxBytes, "body_too_large");
  if (bytes.byteLength === 0) return undefined;
  if (type !== null && !isJson(type)) {
    throw new WarpError(
      "unsupported_media_type",
      `send JSON as application/json, not ${shown(essence(type))}`,
    );
  }
  try {
    return JSON.parse(fromUtf8(bytes)) as unknown;
  } catch (cause) {
    throw new WarpError("invalid_json", "the body is not valid JSON in UTF-8", { cause });
  }
}

const ndjsonTypes: ReadonlySet<string> = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/json",
  "text/plain",
]);

/** Throws `unsupported_media_type` unless the body may be NDJSON. */
export function checkNdjson(request: Request): void {
  checkEncoding(request);
  const type = request.headers.get("Content-Type");
  if (type !== null && !ndjsonTypes.has(essence(type))) {
    throw new WarpError("unsupported_media_type", "send the records as application/x-ndjson");
  }
}

import { WarpError } from "../../errors.ts";
import { fromBase64, toBase64, utf8Length } from "../../runtime/bytes.ts";
import { maxFrameBytes, maxFrameDepth } from "../../runtime/limits.ts";
import { bytesMember } from "./check.ts";
import type { ClientFrame, ServerFrame } from "./frames.ts";
import { isShallow } from "./nesting.ts";

/** A frame as JSON text. */
export function encodeFrame(frame: ClientFrame | ServerFrame): string {
  // Only these two carry bytes; the others are too many to walk through for nothing.
  return JSON.stringify(frame.t === "call" || frame.t === "ok" ? withoutBytes(frame) : frame);
}

function withoutBytes(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { [bytesMember]: toBase64(value) };
  if (Array.isArray(value)) return value.map(withoutBytes);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withoutBytes(part)]));
}

/** The JSON in a message. Throws `invalid_frame`, `frame_too_large`. */
export function parseFrame(data: string | Uint8Array): unknown {
  if (typeof data !== "string") throw invalidFrame("a frame is text");
  checkFrameSize(data);
  if (!isShallow(data, maxFrameDepth)) throw invalidFrame(`a frame is at most ${maxFrameDepth} levels deep`);
  try {
    return JSON.parse(data);
  } catch {
    throw invalidFrame("a frame is JSON");
  }
}

/** Whether a message is larger than `max` bytes. */
export function isLarger(data: string | Uint8Array, max: number): boolean {
  return data.length > max || (typeof data === "string" && data.length * 3 > max && utf8Length(data) > max);
}

/** Throws `frame_too_large`. */
export function checkFrameSize(data: string | Uint8Array, max = maxFrameBytes): void {
  if (!isLarger(data, max)) return;
  throw new WarpError("frame_too_large", `a frame has at most ${max} bytes`, { details: { max } });
}

export function invalidFrame(why: string): WarpError {
  return new WarpError("invalid_frame", why);
}

/** Bytes again where they stood. In place: the value was parsed a moment ago and is nobody else's. */
export function withBytes(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const coded = (value as Record<string, unknown>)[bytesMember];
  if (typeof coded === "string") {
    try {
      return fromBase64(coded);
    } catch {
      throw invalidFrame("bytes are base64");
    }
  }
  const parts = value as Record<string, unknown>;
  for (const [name, part] of Object.entries(parts)) {
    if (typeof part === "object" && part !== null) parts[name] = withBytes(part);
  }
  return value;
}

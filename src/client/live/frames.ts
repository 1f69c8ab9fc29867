import { bytesMember } from "../../protocol/wire/check.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import { wireProtocols } from "../../protocol/wire/frames.ts";
import { fromBase64, toBase64 } from "../../runtime/bytes.ts";

/** Frames as JSON, without the readers that a node looks at each of them with: what makes no sense ends the socket where it is used. */
export const plainFrames: FrameCodec = {
  protocol: wireProtocols.json,
  encode: (frame) =>
    JSON.stringify(frame, (_, value: unknown) =>
      value instanceof Uint8Array ? { [bytesMember]: toBase64(value) } : value,
    ),
  decode: (data) => JSON.parse(data as string),
};

/** Bytes in an answer, as either codec leaves them. */
export function bytesIn(value: unknown): Uint8Array {
  return value instanceof Uint8Array
    ? value
    : fromBase64((value as { readonly $bytes: string })[bytesMember]);
}

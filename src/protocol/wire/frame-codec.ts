import { type ClientFrame, type ServerFrame, wireProtocols } from "./frames.ts";
import { encodeFrame } from "./json.ts";
import { decodeServerFrame } from "./server-frames.ts";

/** How a client's end of a socket writes its frames and reads those of the shard. */
export interface FrameCodec {
  /** The subprotocol that stands for it. */
  readonly protocol: string;
  encode(frame: ClientFrame): string | Uint8Array;
  /** Undefined for a kind of frame that this client does not know. Throws `invalid_frame`, `frame_too_large`. */
  decode(data: string | Uint8Array): ServerFrame | undefined;
}

/** Frames as JSON: every shard speaks it. */
export const jsonFrames: FrameCodec = {
  protocol: wireProtocols.json,
  encode: encodeFrame,
  decode: decodeServerFrame,
};

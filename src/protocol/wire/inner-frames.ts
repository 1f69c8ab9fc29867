import type { FrameCodec } from "./frame-codec.ts";
import { wireProtocols } from "./frames.ts";
import { encodeFrame } from "./json.ts";

/**
 * Frames as JSON from a shard of the same deployment, over sockets on which nothing is called: nobody else speaks there, so they are not looked at, and a Worker need
 * not carry what would.
 */
export const innerFrames: FrameCodec = {
  protocol: wireProtocols.json,
  encode: encodeFrame,
  decode: (data) => JSON.parse(data as string),
};

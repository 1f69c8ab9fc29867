import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import { type ServerFrame, wireProtocols } from "../../protocol/wire/frames.ts";
import { encodeFrame, withBytes } from "../../protocol/wire/json.ts";

/** Frames as JSON, without the readers that a node looks at each of them with: what makes no sense ends the socket where it is used. */
export const plainFrames: FrameCodec = {
  protocol: wireProtocols.json,
  encode: encodeFrame,
  decode(data) {
    const frame = JSON.parse(data as string) as ServerFrame;
    return frame.t === "ok" ? { ...frame, r: withBytes(frame.r) } : frame;
  },
};

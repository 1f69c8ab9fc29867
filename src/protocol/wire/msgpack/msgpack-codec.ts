import type { FrameCodec } from "../frame-codec.ts";
import { wireProtocols } from "../frames.ts";
import { readServerFrame } from "../server-frames.ts";
import { packFrame } from "./pack.ts";
import { unpackFrame } from "./unpack.ts";

/** Frames as MessagePack: bytes travel as they are, in about three quarters of what JSON takes for them. */
export const msgpackCodec: FrameCodec = {
  protocol: wireProtocols.msgpack,
  encode: packFrame,
  decode: (data) => readServerFrame(unpackFrame(data)),
};

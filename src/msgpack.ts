export type { FrameCodec } from "./protocol/wire/frame-codec.ts";
export { msgpackCodec } from "./protocol/wire/msgpack/msgpack-codec.ts";

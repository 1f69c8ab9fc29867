export { decodeClientFrame } from "./client-frames.ts";
export { encodeFrame } from "./json.ts";
export { decodeServerFrame } from "./server-frames.ts";

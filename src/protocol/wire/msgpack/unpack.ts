import { beatFrame } from "../frames.ts";
import { checkFrameSize, invalidFrame } from "../json.ts";
import { decodeMsgpack } from "./decode.ts";

/** The object in a message. Text is a beat and nothing else. Throws `invalid_frame`, `frame_too_large`. */
export function unpackFrame(data: string | Uint8Array): unknown {
  if (typeof data !== "string") {
    checkFrameSize(data);
    return decodeMsgpack(data);
  }
  if (data === beatFrame) return { t: "beat" };
  throw invalidFrame("a frame is MessagePack in a binary message");
}

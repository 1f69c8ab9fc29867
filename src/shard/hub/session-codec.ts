import { decodeClientFrame, readClientFrame } from "../../protocol/wire/client-frames.ts";
import type { ClientFrame, ServerFrame } from "../../protocol/wire/frames.ts";
import { encodeFrame } from "../../protocol/wire/json.ts";
import { packFrame, packText } from "../../protocol/wire/msgpack/pack.ts";
import { unpackFrame } from "../../protocol/wire/msgpack/unpack.ts";

/** A frame that was made as text, for one session or many; as MessagePack once somebody wants that. */
export class SharedFrame {
  readonly text: string;
  #packed: string | Uint8Array | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get packed(): string | Uint8Array {
    this.#packed ??= packText(this.text);
    return this.#packed;
  }
}

/** How the shard's end of a socket writes its frames and reads those of the client. */
export interface SessionCodec {
  encode(frame: ServerFrame): string | Uint8Array;
  encoded(frame: SharedFrame): string | Uint8Array;
  /** Throws `invalid_frame`, `frame_too_large`. */
  decode(data: string | Uint8Array): ClientFrame;
}

const json: SessionCodec = {
  encode: encodeFrame,
  encoded: ({ text }) => text,
  decode: decodeClientFrame,
};

const msgpack: SessionCodec = {
  encode: packFrame,
  encoded: ({ packed }) => packed,
  decode: (data) => readClientFrame(unpackFrame(data)),
};

/** That of a session whose caller asked for it so. */
export function codecOf(name: "msgpack" | undefined): SessionCodec {
  return name === undefined ? json : msgpack;
}

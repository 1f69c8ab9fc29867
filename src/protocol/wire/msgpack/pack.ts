import { fromBase64 } from "../../../runtime/bytes.ts";
import { beatFrame, type ClientFrame, type ServerFrame } from "../frames.ts";
import { encodeMsgpack } from "./encode.ts";

/** Where the rows of a frame have their value, which is base64 in JSON. */
const valueColumns: ReadonlyMap<string, number> = new Map([
  ["we", 5],
  ["snap", 3],
  ["msg", 3],
]);

/** A frame as MessagePack; a beat is the same text as ever, which the platform answers. */
export function packFrame(frame: ClientFrame | ServerFrame): string | Uint8Array {
  if (frame.t === "beat") return beatFrame;
  const column = valueColumns.get(frame.t);
  if (column === undefined || !("es" in frame)) return encodeMsgpack(frame);
  const es = frame.es.map((row: readonly unknown[]) => {
    const value = row[column];
    return typeof value === "string" ? row.with(column, fromBase64(value)) : row;
  });
  return encodeMsgpack({ ...frame, es });
}

/** A frame that was made as JSON text. */
export function packText(text: string): string | Uint8Array {
  return packFrame(JSON.parse(text) as ServerFrame);
}

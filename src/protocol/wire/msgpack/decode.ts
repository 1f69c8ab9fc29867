import { WarpError } from "../../../errors.ts";
import { fromUtf8 } from "../../../runtime/bytes.ts";
import { maxFrameDepth, maxFrameValues } from "../../../runtime/limits.ts";

/**
 * The value in MessagePack: what JSON can say, and bytes. Throws `invalid_frame` for all else: what is cut off or goes on, is nested too deep or of too many values, has
 * names that are no texts, extensions, numbers that are none.
 */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  try {
    const value = reader.value(maxFrameDepth);
    if (reader.left === 0) return value;
  } catch (error) {
    throw error instanceof WarpError ? error : invalid("a frame is MessagePack", error);
  }
  throw invalid("a frame is one value");
}

function invalid(why: string, cause?: unknown): WarpError {
  return new WarpError("invalid_frame", why, { cause });
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next value; `depth`: so many lists and maps may lie in each other. */
  value(depth: number): unknown {
    if (++this.#values > maxFrameValues) throw invalid(`a frame has at most ${maxFrameValues} values`);
    const tag = this.#uint(0);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#map(tag & 15, depth);
    if (tag < 0xa0) return this.#list(tag & 15, depth);
    if (tag < 0xc0) return this.#text(tag & 31);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return tag === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(tag - 0xc4)).slice();
      case 0xca:
        return finite(this.#view.getFloat32(this.#skip(4)));
      case 0xcb:
        return finite(this.#view.getFloat64(this.#skip(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#uint(tag - 0xcc);
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return Number(this.#view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(tag - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#uint(tag - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(tag - 0xdd), depth);
    }
    throw invalid("a frame has no extensions");
  }

  #list(length: number, depth: number): unknown[] {
    this.#descend(length, depth);
    const items: unknown[] = [];
    for (let n = 0; n < length; n++) items.push(this.value(depth - 1));
    return items;
  }

  #map(length: number, depth: number): unknown {
    this.#descend(2 * length, depth);
    const members: [string, unknown][] = [];
    for (let n = 0; n < length; n++) {
      const name = this.value(depth - 1);
      if (typeof name !== "string") throw invalid("the names of a map are texts");
      members.push([name, this.value(depth - 1)]);
    }
    // Unlike an assignment this makes a plain member of any name.
    return Object.fromEntries(members);
  }

  /** What is claimed must be able to be there: nothing is set aside for it before it is read. */
  #descend(values: number, depth: number): void {
    if (depth === 0) throw invalid(`a frame is at most ${maxFrameDepth} levels deep`);
    if (values > this.left) throw invalid("a frame is whole");
  }

  #text(length: number): string {
    return fromUtf8(this.#take(length));
  }

  #take(length: number): Uint8Array {
    if (length > this.left) throw invalid("a frame is whole");
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A number of 2 to the power `size` bytes, 0 or more. */
  #uint(size: number): number {
    const at = this.#skip(1 << size);
    if (size === 0) return this.#view.getUint8(at);
    if (size === 1) return this.#view.getUint16(at);
    return size === 2 ? this.#view.getUint32(at) : Number(this.#view.getBigUint64(at));
  }

  #skip(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw invalid("a number of a frame is finite");
}

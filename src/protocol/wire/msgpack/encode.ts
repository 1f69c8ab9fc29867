import { utf8Length } from "../../../runtime/bytes.ts";

/**
 * A value as MessagePack. Numbers are integers where they are safe ones, else doubles; members that are undefined are left out, and undefined in a list is null, as in
 * JSON. A lone surrogate becomes U+FFFD.
 */
export function encodeMsgpack(value: unknown): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

const encoder = new TextEncoder();

class Writer {
  #bytes = new Uint8Array(1_024);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#end);
  }

  value(value: unknown): void {
    if (typeof value === "string") {
      const length = utf8Length(value);
      this.#head(length, 0xa0, 32, 0xd9);
      const at = this.#room(length);
      encoder.encodeInto(value, this.#bytes.subarray(at));
    } else if (typeof value === "number") this.#number(value);
    else if (typeof value === "boolean") this.#put(value ? 0xc3 : 0xc2);
    else if (value instanceof Uint8Array) {
      this.#head(value.length, 0, 0, 0xc4);
      const at = this.#room(value.length);
      this.#bytes.set(value, at);
    } else if (Array.isArray(value)) {
      this.#head(value.length, 0x90, 16, 0xdb);
      for (const item of value) this.value(item);
    } else if (typeof value === "object" && value !== null) {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      this.#head(members.length, 0x80, 16, 0xdd);
      for (const [name, member] of members) {
        this.value(name);
        this.value(member);
      }
    } else this.#put(0xc0);
  }

  /** A length: in one byte with its kind where it is below `short`, else in 1, 2 or 4 bytes after `tag`, which lists and maps have no form of one byte of. */
  #head(length: number, kind: number, short: number, tag: number): void {
    if (length < short) this.#put(kind + length);
    else this.#sized(length, tag, length < 0x100 && short !== 16 ? 0 : length < 0x10000 ? 1 : 2);
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.#put(0xcb);
      const at = this.#room(8);
      this.#view.setFloat64(at, value);
    } else if (value >= -32 && value < 128) this.#put(value & 0xff);
    else if (value >= 0) {
      this.#sized(value, 0xcc, value < 0x100 ? 0 : value < 0x10000 ? 1 : value < 0x1_0000_0000 ? 2 : 3);
    } else
      this.#sized(value, 0xd0, value >= -0x80 ? 0 : value >= -0x8000 ? 1 : value >= -0x8000_0000 ? 2 : 3);
  }

  /** A number of 2 to the power `size` bytes, after the tag for that size. */
  #sized(value: number, tag: number, size: number): void {
    this.#put(tag + size);
    const at = this.#room(1 << size);
    if (size === 0) this.#view.setUint8(at, value);
    else if (size === 1) this.#view.setUint16(at, value);
    else if (size === 2) this.#view.setUint32(at, value);
    else this.#view.setBigInt64(at, BigInt(value));
  }

  #put(byte: number): void {
    const at = this.#room(1);
    this.#bytes[at] = byte;
  }

  /** Gives the place of so many more bytes. */
  #room(bytes: number): number {
    const at = this.#end;
    this.#end += bytes;
    if (this.#end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#end, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

import type { ErrorCode } from "../errors.ts";
import { fromUtf8, utf8Length } from "../runtime/bytes.ts";

/** A line that can't be read; the lines around it are not affected. */
export interface LineFault {
  readonly code: ErrorCode;
  readonly message: string;
}

const newline = 0x0a;
const empty = new Uint8Array(0);

/**
 * Cuts a byte stream into lines of UTF-8, each a text or a fault, in order. It holds at most one unfinished line, of at most
 * `maxLineBytes`; what exceeds it is thrown away as it comes.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #skipping = false;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array): (string | LineFault)[] {
    const last = chunk.lastIndexOf(newline);
    if (last < 0) {
      this.#keep(chunk);
      return [];
    }
    const lines: (string | LineFault)[] = [];
    let from = 0;
    if (this.#skipping) {
      lines.push(this.#tooLong());
      this.#skipping = false;
      from = chunk.indexOf(newline) + 1;
    }
    if (from <= last) this.#cut(this.#take(chunk.subarray(from, last)), lines);
    this.#keep(chunk.subarray(last + 1));
    return lines;
  }

  /** The last line, if it had no newline. */
  end(): (string | LineFault)[] {
    const lines: (string | LineFault)[] = [];
    if (this.#skipping) lines.push(this.#tooLong());
    else if (this.#partBytes > 0) this.#cut(this.#take(empty), lines);
    this.#skipping = false;
    return lines;
  }

  #keep(part: Uint8Array): void {
    if (part.byteLength === 0 || this.#skipping) return;
    this.#partBytes += part.byteLength;
    if (this.#partBytes > this.#maxLineBytes) {
      this.#skipping = true;
      this.#parts = [];
      this.#partBytes = 0;
    } else this.#parts.push(part);
  }

  /** What was kept, followed by `block`. */
  #take(block: Uint8Array): Uint8Array {
    if (this.#partBytes === 0) return block;
    const bytes = new Uint8Array(this.#partBytes + block.byteLength);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    bytes.set(block, at);
    this.#parts = [];
    this.#partBytes = 0;
    return bytes;
  }

  /** Cuts whole lines. They are decoded together, which is several times faster; one by one only to find the bad one. */
  #cut(block: Uint8Array, lines: (string | LineFault)[]): void {
    let text: string;
    try {
      text = fromUtf8(block);
    } catch {
      this.#cutOneByOne(block, lines);
      return;
    }
    const mayBeLong = block.byteLength > this.#maxLineBytes;
    for (const line of text.split("\n")) {
      lines.push(mayBeLong && utf8Length(line) > this.#maxLineBytes ? this.#tooLong() : line);
    }
  }

  #cutOneByOne(block: Uint8Array, lines: (string | LineFault)[]): void {
    for (let from = 0; from <= block.byteLength; ) {
      let to = block.indexOf(newline, from);
      if (to < 0) to = block.byteLength;
      const line = block.subarray(from, to);
      from = to + 1;
      if (line.byteLength > this.#maxLineBytes) {
        lines.push(this.#tooLong());
        continue;
      }
      try {
        lines.push(fromUtf8(line));
      } catch {
        lines.push({ code: "invalid_encoding", message: "the line is not UTF-8" });
      }
    }
  }

  #tooLong(): LineFault {
    return { code: "invalid_line", message: `the line has more than ${this.#maxLineBytes} bytes` };
  }
}

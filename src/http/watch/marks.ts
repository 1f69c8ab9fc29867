import { utf8Length } from "../../runtime/bytes.ts";
import { markBytes, slowBytes } from "../../runtime/limits.ts";

/**
 * How much of what was sent over a socket has arrived, as far as its other end says it: no host tells how much waits in a socket. Every 64 KiB a mark goes along, which the
 * other end sends back.
 */
export class Marks {
  /** Bytes that were sent before each mark that has not come back, and after the last one. */
  readonly #waiting: number[] = [];
  #sinceMark = 0;
  #last = 0;

  /** Bytes of which it is not known whether they have arrived. */
  get #unseenBytes(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes, this.#sinceMark);
  }

  /** Whether there is so much of them that nothing more is to be sent. */
  get areTooFew(): boolean {
    return this.#unseenBytes > slowBytes;
  }

  /** Counts a message; gives the mark that is to follow it, if one is due. */
  sent(message: string): string | undefined {
    this.#sinceMark += utf8Length(message);
    if (this.#sinceMark < markBytes) return undefined;
    this.#waiting.push(this.#sinceMark);
    this.#sinceMark = 0;
    return JSON.stringify({ kind: "mark", n: ++this.#last });
  }

  /** A message came; gives whether it is a mark that was sent. */
  returned(message: string | Uint8Array): boolean {
    const n = markOf(message);
    if (n === undefined || n > this.#last) return false;
    this.#waiting.splice(0, Math.max(0, n - (this.#last - this.#waiting.length)));
    return true;
  }
}

/** The number of the mark in a message. */
function markOf(message: string | Uint8Array): number | undefined {
  const digits =
    typeof message === "string" ? /^\{"kind":"mark","n":(\d{1,15})\}$/.exec(message)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

import { markBytes, maxUnreadBytes, minSlowBytes, slowBytes } from "../../runtime/limits.ts";

/** Totals of what was sent, and how much of it log entries. */
interface Totals {
  readonly bytes: number;
  readonly pushedBytes: number;
}

/**
 * What a session was sent and has not taken in yet. No host tells how much of it waits in buffers on the way, so now and then a `mark` goes along,
 * and what comes back (`seen`) says that all before it has arrived.
 */
export class Outflow {
  readonly #sessions: () => number;
  #sent: Totals = { bytes: 0, pushedBytes: 0 };
  #seen: Totals = this.#sent;
  #markedBytes = 0;
  #lastMark = 0;
  readonly #marks = new Map<number, Totals>();

  /** `sessions`: how many share the memory of their host. */
  constructor(sessions: () => number = () => 1) {
    this.#sessions = sessions;
  }

  /** Notes what is being sent; gives the number of a mark where one should follow. */
  sent(bytes: number, isPush: boolean): number | undefined {
    this.#sent = {
      bytes: this.#sent.bytes + bytes,
      pushedBytes: this.#sent.pushedBytes + (isPush ? bytes : 0),
    };
    const unmarkedBytes = this.#sent.bytes - this.#markedBytes;
    return unmarkedBytes < Math.min(markBytes, this.#share / 2) ? undefined : this.mark();
  }

  /** A mark for all that was sent; undefined: there is one already. */
  mark(): number | undefined {
    if (this.#sent.bytes === this.#markedBytes) return undefined;
    this.#markedBytes = this.#sent.bytes;
    this.#lastMark++;
    this.#marks.set(this.#lastMark, this.#sent);
    return this.#lastMark;
  }

  /** A mark has come back. False: it is none that is awaited (one from before a wake-up, say), and says nothing. */
  seen(mark: number): boolean {
    const totals = this.#marks.get(mark);
    if (totals === undefined) return false;
    this.#seen = totals;
    for (const earlier of this.#marks.keys()) if (earlier <= mark) this.#marks.delete(earlier);
    return true;
  }

  /** Bytes on their way: more than that can't wait anywhere. */
  get bytes(): number {
    return this.#sent.bytes - this.#seen.bytes;
  }

  /** Those of them that are log entries. */
  get pushedBytes(): number {
    return this.#sent.pushedBytes - this.#seen.pushedBytes;
  }

  /** Whether these are so many that further ones shall wait. */
  get isFull(): boolean {
    return this.pushedBytes > this.#share;
  }

  /** What may be on its way to one of them. */
  get #share(): number {
    return Math.min(slowBytes, Math.max(minSlowBytes, maxUnreadBytes / this.#sessions()));
  }
}

import type { WarpError } from "../../errors.ts";
import { encodeFrame } from "../../protocol/wire/codec.ts";
import type { ServerFrame } from "../../protocol/wire/frames.ts";
import { maxFrameBytes, slowBytes, tooSlowBytes } from "../../runtime/limits.ts";
import type { LogPosition } from "../published-log.ts";
import type { HubSocket, Introduction, SessionRecord } from "./hub-socket.ts";

/** How far behind its position the record of a session may be: entries, and ms. */
const keepEntries = 1_000;
const keepMs = 1_000;

/** One socket of a node. */
export class Session {
  readonly id: string;
  readonly socket: HubSocket;
  #record: SessionRecord;
  /** Up to where entries were pushed. */
  position: LogPosition;
  isOpen = true;
  /** Since when its pushes are withheld, by the elapsed clock. */
  slowSinceMs: number | undefined;
  /** When it was last heard, by the wall clock. */
  heardAtMs: number;
  /** Calls that are under way. */
  calls = 0;
  /** The last invalidation that it has carried out. */
  acked = 0;
  /** Ends the wait for `hello`. */
  stopWaiting: (() => void) | undefined;
  /** Settles when `welcome` is sent, where that takes time; frames that come meanwhile wait for it. */
  greeting: Promise<void> | undefined;
  /** Bytes of replies that may still be on their way: a large answer does not make its reader slow. */
  #owedBytes = 0;
  #keptAtMs: number;

  constructor(socket: HubSocket, record: SessionRecord, nowMs: number) {
    this.id = record.session;
    this.socket = socket;
    this.#record = record;
    this.position = { epoch: record.epoch, revision: record.revision };
    this.heardAtMs = nowMs;
    this.#keptAtMs = nowMs;
  }

  get caller(): SessionRecord["caller"] {
    return this.#record.caller;
  }

  /** What it said of itself; undefined before `hello`. */
  get said(): Introduction | undefined {
    return this.#record.said;
  }

  get openedAtMs(): number {
    return this.#record.openedAtMs;
  }

  /** The last number of an invalidation. */
  get inv(): number {
    return this.#record.inv;
  }

  /** Notes what must outlive the instance. */
  keep(changed: Partial<SessionRecord>, nowMs: number): void {
    const { epoch, revision } = this.position;
    this.#record = { ...this.#record, epoch, revision, ...changed };
    this.socket.attachment = this.#record;
    this.#keptAtMs = nowMs;
  }

  /** Notes the position if that was not done for a while: after a wake-up little is pushed twice, and pushes stay cheap. */
  keepPosition(nowMs: number): void {
    const { epoch, revision } = this.position;
    const isSame = epoch === this.#record.epoch && revision === this.#record.revision;
    if (isSame) return;
    const isNear =
      epoch === this.#record.epoch &&
      revision - this.#record.revision < keepEntries &&
      Math.abs(nowMs - this.#keptAtMs) < keepMs;
    if (!isNear) this.keep({}, nowMs);
  }

  send(frame: ServerFrame): void {
    this.socket.send(encodeFrame(frame));
  }

  /** Sends the answer to a call; false where the socket has too much to take in already. */
  reply(frame: ServerFrame): boolean {
    const text = encodeFrame(frame);
    if (this.#unsent() > 2 * maxFrameBytes) return false;
    this.#owedBytes += text.length;
    this.socket.send(text);
    return true;
  }

  /** Whether pushes shall wait; `tooSlow`: it takes in so little that it is better off without this socket. */
  pace(): "fine" | "slow" | "tooSlow" {
    const unsent = this.#unsent();
    const pushedBytes = unsent - this.#owedBytes;
    if (pushedBytes > tooSlowBytes || unsent > 2 * maxFrameBytes) return "tooSlow";
    return pushedBytes > slowBytes ? "slow" : "fine";
  }

  /** Whether it leaves so many answers unread that it gets no further ones. */
  get isGlutted(): boolean {
    return this.#unsent() > maxFrameBytes;
  }

  #unsent(): number {
    const bytes = this.socket.bufferedBytes;
    this.#owedBytes = Math.min(this.#owedBytes, bytes);
    return bytes;
  }
}

/** The reason of a close frame: its code and words, within the 123 bytes that there are. */
export function closeReason(error: WarpError): string {
  return `${error.code}: ${error.message}`.slice(0, 123);
}

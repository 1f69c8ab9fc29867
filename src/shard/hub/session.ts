import type { ServerFrame } from "../../protocol/wire/frames.ts";
import { maxFrameBytes } from "../../runtime/limits.ts";
import type { LogPosition } from "../published-log.ts";
import type { HubSocket, Introduction, SessionRecord, WatchRecord } from "./hub-socket.ts";
import { Outflow } from "./outflow.ts";
import { codecOf, type SessionCodec, SharedFrame } from "./session-codec.ts";

/** How far behind its position the record of a session may be: entries, and ms. */
const keepEntries = 1_000;
export const keepMs = 1_000;

/** One socket of a node. */
export class Session {
  readonly id: string;
  readonly socket: HubSocket;
  #record: SessionRecord;
  /** Up to where entries were pushed. */
  position: LogPosition;
  isOpen = true;
  /** Since when its pushes wait and it has taken in nothing, by the elapsed clock. */
  slowSinceMs: number | undefined;
  /** When it was last heard, by the wall clock. */
  heardAtMs: number;
  /** Calls that are under way. */
  calls = 0;
  /** Up to when its messages are paid for at the rate that it may keep, by the elapsed clock; by how much it is ahead of that. */
  paceMs = 0;
  aheadMs = 0;
  /** The last invalidation that it has carried out. */
  acked = 0;
  /** Ends the wait for `hello`. */
  stopWaiting: (() => void) | undefined;
  /** Settles when `welcome` is sent, where that takes time; frames that come meanwhile wait for it. */
  greeting: Promise<void> | undefined;
  /** How its frames are written, from its opening to its end. */
  readonly codec: SessionCodec;
  readonly #outflow: Outflow;
  #keptAtMs: number;
  #keptWatchAtMs: number;

  /** `sessions`: how many there are beside it, and itself. */
  constructor(socket: HubSocket, record: SessionRecord, nowMs: number, sessions: () => number) {
    this.#outflow = new Outflow(sessions);
    this.id = record.session;
    this.socket = socket;
    this.#record = record;
    this.codec = codecOf(record.codec);
    this.position = { epoch: record.epoch, revision: record.revision };
    this.heardAtMs = nowMs;
    this.#keptAtMs = nowMs;
    this.#keptWatchAtMs = nowMs;
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

  /** How others know it where it shows itself; undefined: it has not yet. */
  get member(): string | undefined {
    return this.#record.member;
  }

  /** Whether it was not told of all who are there. */
  get isOutdated(): boolean {
    return this.#record.isOutdated === true;
  }

  /** What it watches, as it is noted. */
  get watch(): WatchRecord | undefined {
    return this.#record.watch;
  }

  /** Notes what must outlive the instance. */
  keep(changed: Partial<SessionRecord>, nowMs: number): void {
    const { epoch, revision } = this.position;
    this.#record = { ...this.#record, epoch, revision, ...changed };
    this.socket.attachment = this.#record;
    this.#keptAtMs = nowMs;
  }

  /** Notes the position if that was not done for a while: after a wake-up little is pushed twice, and pushes stay cheap. */
  keepPosition(nowMs: number, ageMs = nowMs - this.#keptAtMs): void {
    const { epoch, revision } = this.position;
    if (!isNear({ epoch, revision }, this.#record, ageMs)) this.keep({}, nowMs);
  }

  /** Notes where its subscriptions stand, as rarely as its own position. */
  keepWatch(at: LogPosition, nowMs: number, ageMs = nowMs - this.#keptWatchAtMs): void {
    const { watch } = this.#record;
    if (watch === undefined) return;
    if (!isNear(at, watch, ageMs)) {
      this.keep({ watch: { ...watch, ...at } }, nowMs);
      this.#keptWatchAtMs = nowMs;
    }
  }

  send(frame: ServerFrame): void {
    this.#transmit(this.codec.encode(frame), false);
  }

  /** Sends what was made as text: log entries above all. */
  push(frame: string | SharedFrame): void {
    this.#transmit(this.codec.encoded(typeof frame === "string" ? new SharedFrame(frame) : frame), true);
  }

  #transmit(data: string | Uint8Array, isPush: boolean): void {
    this.socket.send(data);
    this.#mark(this.#outflow.sent(data.length, isPush));
  }

  /** Its pushes wait: what it says to this lets them go on. */
  ask(): void {
    this.#mark(this.#outflow.mark());
  }

  #mark(n: number | undefined): void {
    if (n !== undefined) this.socket.send(this.codec.encode({ t: "mark", n }));
  }

  /** A mark has come back; gives whether it says anything. */
  seen(mark: number): boolean {
    return this.#outflow.seen(mark);
  }

  /** Whether further pushes shall wait. Large answers don't make their reader slow. */
  get isSlow(): boolean {
    return this.#outflow.isFull;
  }

  /** Whether it leaves so many answers unread that it gets no further ones. */
  get isGlutted(): boolean {
    return this.#outflow.bytes > maxFrameBytes;
  }

  /** Whether even refusals are too much for it. */
  get isStuck(): boolean {
    return this.#outflow.bytes > 2 * maxFrameBytes;
  }
}

/** Whether what is noted of a position says enough of it. */
function isNear(at: LogPosition, noted: LogPosition, ageMs: number): boolean {
  const lag = at.revision - noted.revision;
  return at.epoch === noted.epoch && (lag === 0 || (lag < keepEntries && Math.abs(ageMs) < keepMs));
}

import { decodeClientFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import type { ClientFrame, ServerFrame, WireChange } from "../../src/protocol/wire/frames.ts";
import type { WireEnd, WireEndEvents } from "../support/virtual-wire.ts";

type Call = Extract<ClientFrame, { t: "call" }>;

/** One session at a {@link FakeHub}. */
export class FakeSession {
  readonly end: WireEnd;
  readonly frames: ClientFrame[] = [];
  closed: { readonly code: number } | undefined;

  constructor(end: WireEnd) {
    this.end = end;
  }

  get hello(): Extract<ClientFrame, { t: "hello" }> {
    const [first] = this.frames;
    if (first?.t !== "hello") throw new Error("no hello came");
    return first;
  }

  of<T extends ClientFrame["t"]>(t: T): Extract<ClientFrame, { t: T }>[] {
    return this.frames.filter((frame) => frame.t === t) as Extract<ClientFrame, { t: T }>[];
  }

  send(frame: ServerFrame): void {
    this.end.send(encodeFrame(frame));
  }

  ev(after: number, ...es: WireChange[]): void {
    this.send({ t: "ev", epoch, after, to: es.at(-1)?.[0] ?? after, es });
  }
}

export const epoch = "00000000000000aa";

/** The other side of a node's sockets, as far as a test plays it: it greets, beats and grants leases; calls are the test's own. */
export class FakeHub {
  readonly sessions: FakeSession[] = [];
  revision = 0;
  leaseMs = 4_000;
  heartbeatMs = 1_000;
  maxFrameBytes = 33_554_432;
  grantsLeases = true;
  /** Where set, pongs are kept here instead of being sent. */
  keptPongs: (() => void)[] | undefined;
  greets = true;
  /** Closes each socket with this code instead of a welcome. */
  closesWith: { readonly code: number; readonly reason: string } | undefined;
  resumed: "fresh" | "replay" | "gap" | undefined;
  /** Answers a call; undefined: never. By default it echoes the method. */
  answer: (call: Call, session: FakeSession) => unknown = (call) => ({ method: call.m });

  /** What a `VirtualWire` is made with. */
  readonly accept = (end: WireEnd): WireEndEvents => {
    const session = new FakeSession(end);
    this.sessions.push(session);
    return {
      message: (data) => this.#take(session, decodeClientFrame(data)),
      closed: (code) => {
        session.closed = { code };
      },
    };
  };

  /** The newest session. */
  get last(): FakeSession {
    const last = this.sessions.at(-1);
    if (last === undefined) throw new Error("nobody has connected");
    return last;
  }

  #take(session: FakeSession, frame: ClientFrame): void {
    session.frames.push(frame);
    switch (frame.t) {
      case "hello":
        if (this.closesWith !== undefined) session.end.close(this.closesWith.code, this.closesWith.reason);
        else if (this.greets) {
          session.send({
            t: "welcome",
            session: `s${this.sessions.length}`,
            subject: "test",
            epoch,
            revision: this.revision,
            heartbeatMs: this.heartbeatMs,
            leaseMs: this.leaseMs,
            maxFrameBytes: this.maxFrameBytes,
            shards: 1,
            resumed: this.resumed ?? (frame.cursor === undefined ? "fresh" : "replay"),
          });
        }
        return;
      case "beat":
        session.end.send('{"t":"beat"}');
        return;
      case "ping": {
        const lease = frame.lease === true && this.grantsLeases ? { leaseMs: this.leaseMs } : {};
        const pong = (): void =>
          session.send({ t: "pong", id: frame.id, epoch, to: this.revision, ...lease });
        if (this.keptPongs === undefined) pong();
        else this.keptPongs.push(pong);
        return;
      }
      case "call": {
        const reply = this.answer(frame, session);
        if (reply instanceof Error) {
          const { code, outcome } = reply as Error & { code: "internal"; outcome: "fail" };
          session.send({
            t: "err",
            id: frame.id,
            e: { code, message: reply.message, outcome, retryable: false },
          });
        } else if (reply !== undefined) session.send({ t: "ok", id: frame.id, r: reply });
        return;
      }
    }
  }
}

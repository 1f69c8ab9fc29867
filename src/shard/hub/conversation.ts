import { WarpError } from "../../errors.ts";
import type { Caller } from "../../protocol/wire/caller.ts";
import { type ClientFrame, closeCodes } from "../../protocol/wire/frames.ts";
import type { Clock } from "../../runtime/clock.ts";
import { maxSessionCalls } from "../../runtime/limits.ts";
import type { LeaseGrants, MemberEvents } from "../members.ts";
import type { WatchSource } from "../watch-source.ts";
import type { Calls } from "./calls.ts";
import { type Greeter, greet } from "./greeting.ts";
import type { Pushes } from "./pushes.ts";
import { type Authenticate, renewedCaller } from "./renewal.ts";
import type { Session } from "./session.ts";

/** A frame of one kind. */
type Frame<T extends ClientFrame["t"]> = Extract<ClientFrame, { t: T }>;

/** What a {@link Conversation} is made of. */
export interface ConversationOptions {
  readonly shard: Greeter & { readonly watching: { readonly log: Pick<WatchSource, "reach"> } };
  readonly calls: Calls;
  readonly pushes: Pushes;
  readonly authenticate: Authenticate | undefined;
  /** Why there is no room for another session of a caller; undefined: there is. */
  readonly fullness: (caller: Caller) => string | undefined;
  /** Told when a message was one that the hub has asked for. */
  readonly asked: (session: Session) => void;
  /** Told when a session has another caller. */
  readonly rightsChanged: (session: Session) => void;
  readonly leases: LeaseGrants;
  /** Who is told about members; undefined: nobody yet. */
  readonly events: () => MemberEvents | undefined;
  readonly close: (session: Session, code: number, reason: string) => void;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
}

/** Answers what sessions say, frame by frame. */
export class Conversation {
  readonly #options: ConversationOptions;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** Settles when all that the frame asks for is done. Rejects with what ends the session. */
  async handle(session: Session, frame: ClientFrame): Promise<void> {
    while (session.greeting !== undefined) await session.greeting;
    if (!session.isOpen) return;
    if (frame.t === "beat") session.send({ t: "beat" });
    else if (session.caller.isPending === true) await this.#admit(session, frame);
    else if (frame.t === "hello") await this.#hello(session, frame);
    else if (session.said === undefined) throw new WarpError("invalid_frame", "the first frame is hello");
    else if (frame.t === "ping") await this.#ping(session, frame);
    else if (frame.t === "ack") this.#acknowledge(session, frame);
    else if (frame.t === "call") await this.#call(session, frame);
    else if (frame.t === "seen") this.#seen(session, frame);
    else if (frame.t === "sub") await this.#subscribe(session, frame);
    else if (frame.t === "unsub") this.#options.pushes.watches.unsubscribe(session, frame.id);
    else if (frame.t === "here") this.#options.pushes.watches.show(session, frame);
    else if (frame.t === "auth") {
      // What it says next is said under the newer token, which may be a still newer one.
      session.greeting = this.#renew(session, frame);
      await session.greeting;
      session.greeting = undefined;
    } else {
      this.#options.leases.giveBack(session.id);
      this.#options.close(session, 1000, "bye");
    }
  }

  async #hello(session: Session, frame: Frame<"hello">): Promise<void> {
    if (session.said !== undefined) throw new WarpError("invalid_frame", "hello is said once");
    session.stopWaiting?.();
    const { shard, clock, events, pushes } = this.#options;
    session.greeting = greet(session, frame, shard, clock, () => events()?.joined(session.id));
    await session.greeting;
    session.greeting = undefined;
    if (frame.follow !== false) pushes.feed.pushTo(session);
  }

  /** A cursor that the log here has not reached yet may be one all the same; what the session says next waits until that is known. */
  async #subscribe(session: Session, frame: Frame<"sub">): Promise<void> {
    const { pushes, shard } = this.#options;
    const reaching = typeof frame.from === "string" ? undefined : shard.watching.log.reach(frame.from);
    if (reaching !== undefined) {
      session.greeting = reaching;
      await reaching;
      session.greeting = undefined;
    }
    if (session.isOpen) pushes.watches.subscribe(session, frame);
  }

  async #ping(session: Session, { id, lease }: Frame<"ping">): Promise<void> {
    const leaseMs = lease === true && session.said?.follow === true ? await this.#grant(session) : undefined;
    if (!session.isOpen) return;
    const { epoch, revision } = this.#options.shard.published.position ?? session.position;
    session.send({ t: "pong", id, epoch, to: revision, ...(leaseMs === undefined ? {} : { leaseMs }) });
  }

  /** No lease is an answer, too: its reasons pass, and the node reads at the shard meanwhile. */
  async #grant(session: Session): Promise<number | undefined> {
    try {
      return await this.#options.leases.grant(session.id);
    } catch (error) {
      this.#options.report(error);
      return undefined;
    }
  }

  #acknowledge(session: Session, { inv }: Frame<"ack">): void {
    if (inv > session.inv) {
      this.#options.close(session, closeCodes.ackInvalid, `invalid_frame: no inv ${inv} was sent`);
    } else if (inv > session.acked) {
      session.acked = inv;
      this.#options.events()?.acknowledged(session.id, inv);
    }
  }

  async #call(session: Session, { id, m, a }: Frame<"call">): Promise<void> {
    if (session.calls >= maxSessionCalls || session.isGlutted || session.aheadMs > 0) {
      const busy = new WarpError("overloaded", "this session has too many calls, or answers, under way", {
        retryAfterMs: Math.max(100, Math.ceil(session.aheadMs)),
      });
      session.send({ t: "err", id, e: busy.toData() });
      return;
    }
    session.calls++;
    try {
      const r = await this.#options.calls.make(m, a, session.caller, session.id);
      if (session.isOpen) session.send({ t: "ok", id, r });
    } catch (error) {
      if (!(error instanceof WarpError)) this.#options.report(error);
      const told = WarpError.from(error, "internal", "the answer could not be sent", { outcome: "unknown" });
      if (session.isOpen) session.send({ t: "err", id, e: told.toData() });
    } finally {
      session.calls--;
    }
  }

  /** What waited for this session to take in what it had may go on. */
  #seen(session: Session, { n }: Frame<"seen">): void {
    if (!session.seen(n)) return;
    this.#options.asked(session);
    this.#options.pushes.slow.taken(session);
  }

  /** The first token of a session that was opened without one. What else it says meanwhile waits. */
  async #admit(session: Session, frame: ClientFrame): Promise<void> {
    if (frame.t !== "auth") throw new WarpError("token_missing", "the first frame is auth");
    session.greeting = this.#authenticate(session, frame);
    try {
      await session.greeting;
    } finally {
      session.greeting = undefined;
    }
  }

  async #authenticate(session: Session, { id, token }: Frame<"auth">): Promise<void> {
    const { authenticate, clock, rightsChanged } = this.#options;
    const caller = await renewedCaller(authenticate, token, session.caller);
    if (!session.isOpen) return;
    const full = session.caller.isPending === true ? this.#options.fullness(caller) : undefined;
    if (full !== undefined) throw new WarpError("overloaded", full);
    session.keep({ caller }, clock.now());
    rightsChanged(session);
    session.send({
      t: "ok",
      id,
      r: caller.expiresAtMs === undefined ? {} : { expiresAtMs: caller.expiresAtMs },
    });
  }

  /** The newer token of a session: see {@link renewedCaller}. */
  async #renew(session: Session, frame: Frame<"auth">): Promise<void> {
    try {
      await this.#authenticate(session, frame);
    } catch (error) {
      if (!(error instanceof WarpError)) this.#options.report(error);
      const told = WarpError.from(error, "internal", "the token could not be looked at");
      if (session.isOpen) session.send({ t: "err", id: frame.id, e: told.toData() });
    }
  }
}

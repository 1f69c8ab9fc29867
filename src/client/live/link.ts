import { Backoff } from "../../connection/socket/backoff.ts";
import { isForGood, notSent, type SessionEnd } from "../../connection/socket/close.ts";
import { LinkWatches } from "../../connection/socket/link-watches.ts";
import { WarpError } from "../../errors.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import { authProtocol } from "../../protocol/wire/subprotocols.ts";
import type { ClientHost } from "../../runtime/client-host.ts";
import {
  patientMs,
  reconnectBaseMs,
  reconnectCapMs,
  refusedHoldMs,
  retireMs,
  unusedSocketMs,
} from "../../runtime/limits.ts";
import { fraction } from "../../runtime/random.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import { LiveSession, unsent, type Welcome } from "./session.ts";
import type { TokenSource } from "./token-source.ts";

/** What the links of a client share. */
export interface LinkParts {
  readonly host: ClientHost;
  readonly sockets: SocketFactory;
  readonly frames: FrameCodec;
  readonly token: TokenSource;
  /** The name of this client for its life. */
  readonly node: string;
  readonly url: (shard: number) => string;
  /** Whether there is no network, or nothing will run. */
  readonly isResting: () => boolean;
  /** Whether nobody looks. */
  readonly isHidden: () => boolean;
  readonly welcomed: (frame: Welcome) => void;
  /** How it stands may have changed. */
  readonly changed: () => void;
}

/** The way to one shard: sessions one after the other, while somebody needs one. */
export class LiveLink {
  readonly watches: LinkWatches;
  readonly #shard: number;
  readonly #parts: LinkParts;
  readonly #backoff: Backoff;
  readonly #waiters = new Set<{
    readonly resolve: (session: LiveSession) => void;
    readonly reject: (error: WarpError) => void;
  }>();
  /** Open, or to be. */
  #session: LiveSession | undefined;
  #refused: { readonly error: WarpError; readonly untilMs: number } | undefined;
  /** When the next attempt is made; undefined: none is waited for. */
  #dueAtMs: number | undefined;
  #cancelTimer: () => void = () => {};
  #isFailing = false;
  #isClosed = false;
  #usedAtMs: number;

  constructor(shard: number, parts: LinkParts) {
    this.#shard = shard;
    this.#parts = parts;
    this.#backoff = new Backoff(parts.host.random, { baseMs: reconnectBaseMs, capMs: reconnectCapMs });
    this.#usedAtMs = parts.host.elapsed.now();
    this.watches = new LinkWatches(shard, {
      send: (frame) => {
        if (this.#session?.welcome !== undefined) this.#session.tell(frame);
      },
      needed: () => {
        this.ready().catch((error: WarpError) => {
          if (this.#isClosed || this.#refused !== undefined) this.watches.fail(error);
        });
      },
    });
  }

  /** `idle`: nobody needs it. `failing`: the last attempt came to nothing. */
  get standing(): "idle" | "open" | "connecting" | "failing" {
    if (this.#session?.welcome !== undefined) return "open";
    if (this.#isFailing) return "failing";
    return this.#session !== undefined || this.#dueAtMs !== undefined || this.watches.areWanted
      ? "connecting"
      : "idle";
  }

  /** A session that calls can be made on. Rejects where there is none in sight: nothing was sent then. */
  async ready(): Promise<LiveSession> {
    const nowMs = this.#now();
    this.#usedAtMs = nowMs;
    if (this.#isClosed) throw closed();
    if (this.#session?.welcome !== undefined) return this.#session;
    if (this.#parts.isResting()) throw unsent("there is no network");
    const refused = this.#refused;
    if (refused !== undefined && nowMs < refused.untilMs)
      throw notSent(refused.error, refused.untilMs - nowMs);
    const waitMs = (this.#dueAtMs ?? nowMs) - nowMs;
    if (waitMs > patientMs) throw unsent("the shard can't be reached", waitMs);
    if (this.#session === undefined && this.#dueAtMs === undefined) this.#connect();
    return await new Promise((resolve, reject) => this.#waiters.add({ resolve, reject }));
  }

  /** The network is back, or somebody looks again. */
  wake(): void {
    if (this.#session !== undefined) {
      if (this.#session.welcome !== undefined) this.#session.check();
    } else if (this.#isWanted || this.#dueAtMs !== undefined) {
      this.#backoff.reset();
      this.#attemptIn(this.#backoff.next());
    }
  }

  /** There is no network, or nothing will run from now on. */
  rest(): void {
    this.#cancelTimer();
    this.#dueAtMs = undefined;
    this.#session?.giveUp("there is no network");
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#session?.leave();
    const error = closed();
    this.#settle(({ reject }) => reject(error));
    this.watches.fail(error);
  }

  get #isWanted(): boolean {
    return this.watches.areWanted || this.#waiters.size > 0 || this.#now() - this.#usedAtMs < unusedSocketMs;
  }

  #now(): number {
    return this.#parts.host.elapsed.now();
  }

  #connect(): void {
    const { host, frames, token, welcomed, changed } = this.#parts;
    this.#dueAtMs = undefined;
    this.#refused = undefined;
    const session: LiveSession = new LiveSession(host.timers, frames, {
      welcomed: (frame) => {
        welcomed(frame);
        this.#isFailing = false;
        token.keeps(session, frame.expiresAtMs);
        this.watches.welcomed();
        this.#settle(({ resolve }) => resolve(session));
        changed();
      },
      watched: (frame) => {
        if (this.#session === session) this.watches.take(frame);
      },
      go: (withinMs) => this.#retire(session, withinMs),
      beat: () => {
        this.#backoff.reset();
        if (!this.#isWanted && session.calls === 0) session.leave();
      },
      ended: (end) => this.#ended(session, end),
    });
    this.#session = session;
    token.ask().then(
      (text) => {
        const protocols = text === undefined ? [] : [authProtocol(text)];
        const { sockets, url, node } = this.#parts;
        session.open(sockets, url(this.#shard), [frames.protocol, ...protocols], node);
      },
      (error: unknown) => session.giveUp("there is no token for it", error),
    );
    changed();
  }

  #ended(session: LiveSession, end: SessionEnd): void {
    if (this.#session !== session) return;
    const { host, token, isResting, isHidden, changed } = this.#parts;
    this.#session = undefined;
    this.#isFailing = !session.wasOpen;
    const isRenewable = end.error.code === "token_expired" && token.isRenewed(session);
    const next = isRenewable ? "now" : end.next;
    if (!isRenewable && isForGood(end)) this.watches.fail(end.error);
    this.watches.lost();
    if (next === "refused") {
      this.#isFailing = true;
      this.#refused = { error: end.error, untilMs: this.#now() + refusedHoldMs };
    } else if (!this.#isClosed && !isResting() && (next !== "unused" || this.watches.areWanted)) {
      // While nobody looks there is no hurry, and others may need the room.
      this.#attemptIn(
        isHidden() ? fraction(host.random) * reconnectCapMs : this.#backoff.next(next === "now"),
      );
    }
    const error = notSent(end.error);
    this.#settle(({ reject }) => reject(error));
    changed();
  }

  #attemptIn(waitMs: number): void {
    this.#cancelTimer();
    this.#dueAtMs = this.#now() + waitMs;
    this.#cancelTimer = this.#parts.host.timers.after(waitMs, () => {
      this.#dueAtMs = undefined;
      if (this.#isWanted) this.#connect();
      else this.#parts.changed();
    });
  }

  /** The shard wants to be left: at a moment of this client's own. Calls under way may still get their answers. */
  #retire(session: LiveSession, withinMs: number): void {
    const { timers, random } = this.#parts.host;
    timers.after(fraction(random) * withinMs, () => {
      if (this.#session !== session) return;
      this.#session = undefined;
      this.watches.lost();
      timers.after(session.calls === 0 ? 0 : retireMs, () => session.leave());
      this.#connect();
    });
  }

  #settle(
    tell: (waiter: {
      readonly resolve: (session: LiveSession) => void;
      readonly reject: (error: WarpError) => void;
    }) => void,
  ): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    waiters.forEach(tell);
  }
}

function closed(): WarpError {
  return new WarpError("warp_closed", "this client is closed");
}

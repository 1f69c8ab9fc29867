import { WarpError } from "../../../errors.ts";
import type { Clock, Timers } from "../../../runtime/clock.ts";
import { randomHex } from "../../../runtime/ids.ts";
import { maxShownPerSession } from "../../../runtime/limits.ts";
import type { Random } from "../../../runtime/random.ts";
import type { SessionRecord } from "../hub-socket.ts";
import type { Session } from "../session.ts";
import type { Subscription, SubscriptionRecord } from "../watch/subscription.ts";
import { type PresenceBoard, targetName } from "./presence-board.ts";
import { PresenceFeed } from "./presence-feed.ts";

/** What a {@link Presence} is made of. */
export interface PresenceOptions {
  readonly board: PresenceBoard;
  /** Finds the sessions from before: what others tell may be the first that this instance hears. */
  readonly wake: () => void;
  /** Told that a session has not taken in enough to get more. */
  readonly slow: (session: Session) => void;
  readonly clock: Clock;
  readonly elapsed: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Takes what failed where nobody waits. */
  readonly report: (error: unknown) => void;
}

/** Who is shown at what is watched (rule WA11): what sessions say of themselves, and who is told. It is kept with the subscriptions, in attachments. */
export class Presence {
  readonly #board: PresenceBoard;
  readonly #options: PresenceOptions;
  readonly #feed: PresenceFeed;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#board = options.board;
    options.board.whenAsked(options.wake);
    this.#feed = new PresenceFeed(options);
  }

  /** A subscription was opened or, where it is not new, taken up from an instance before. */
  begun(session: Session, subscription: Subscription, isNew: boolean): void {
    const { id, filter, presence, shown } = subscription;
    const target = targetName(filter.target);
    if (presence || shown !== null) this.#board.use();
    if (presence) this.#feed.add(target, session, id, isNew);
    if (shown !== null) this.#board.put({ target, member: memberOf(session, id), data: shown });
  }

  /** What a session shows of itself at one of its subscriptions; null: it shows itself no longer. Throws `overloaded`. */
  show(session: Session, subscription: Subscription, data: unknown, all: Iterable<Subscription>): void {
    const { id, filter, presence } = subscription;
    const wasShown = subscription.shown !== null;
    if (!wasShown && data === null) return;
    if (!wasShown && [...all].filter(({ shown }) => shown !== null).length >= maxShownPerSession) {
      throw new WarpError("overloaded", `a session is shown at ${maxShownPerSession} targets at most`, {
        details: { max: maxShownPerSession },
      });
    }
    this.#board.use();
    const { random, clock } = this.#options;
    if (session.member === undefined) session.keep({ member: randomHex(random, 8) }, clock.now());
    const member = memberOf(session, id);
    if (!wasShown && presence) session.send({ t: "pres", id, es: [], me: member });
    if (!this.#board.set({ target: targetName(filter.target), member, data })) {
      throw new WarpError("overloaded", "too many are shown here");
    }
    subscription.shown = data;
  }

  /** A subscription has ended, perhaps with its session. */
  ended(session: Session, { id, filter, presence, shown }: Subscription): void {
    const target = targetName(filter.target);
    if (presence) this.#feed.remove(target, session, id);
    if (shown !== null) this.#board.set({ target, member: memberOf(session, id), data: null });
  }

  /** A session has ended that this instance has never met: an earlier one told others that it was there. */
  gone({ member = "" }: SessionRecord, subscriptions: readonly SubscriptionRecord[]): void {
    for (const { id, key, prefix = "", shown } of subscriptions) {
      if (shown === undefined) continue;
      this.#board.use();
      const target = targetName(key === undefined ? { prefix } : { key });
      this.#board.set({ target, member: `${member}-${id}`, data: null });
    }
  }

  /** A session whose pushes waited has room again. */
  resume(session: Session): void {
    this.#feed.resume(session);
  }
}

/** How others know a session at one of its subscriptions: by nothing that gives rights. */
function memberOf({ member = "" }: Session, id: number): string {
  return `${member}-${id}`;
}

import { encodeFrame } from "../../protocol/wire/json.ts";
import type { Clock } from "../../runtime/clock.ts";
import { maxPushLag, maxSilentRevisions } from "../../runtime/limits.ts";
import type { LogPage, LogPosition, PublishedLog } from "../published-log.ts";
import type { Session } from "./session.ts";
import { SharedFrame } from "./session-codec.ts";

/** What a {@link Feed} is made of. */
export interface FeedOptions {
  readonly log: Pick<PublishedLog, "position" | "page">;
  /** The sessions that follow the log. */
  readonly followers: () => Iterable<Session>;
  /** Told that a session has not taken in enough to get more. */
  readonly slow: (session: Session) => void;
  readonly clock: Clock;
}

/** A page of the log, encoded once for all sessions; without a frame where it has no entries. */
interface Encoded {
  readonly to: number;
  readonly frame: SharedFrame | undefined;
}

/**
 * Pushes the log to the sessions that follow it, in order (rule SB1). What a session has not room for waits in the log, at no cost in memory;
 * one that is too far behind gets a `gap`, one that takes in nothing is closed.
 */
export class Feed {
  readonly #options: FeedOptions;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Pushes to all what they don't have yet; gives whether there is anybody. */
  push(): boolean {
    const pages = new Map<number, Encoded | undefined>();
    let any = false;
    for (const session of this.#options.followers()) {
      any = true;
      this.#pushTo(session, pages);
    }
    return any;
  }

  /** Pushes to one session what it does not have yet. */
  pushTo(session: Session): void {
    this.#pushTo(session, new Map());
  }

  /** Nothing more comes for now: notes how far everybody is. */
  settle(): void {
    for (const session of this.#options.followers()) {
      session.keepPosition(this.#options.clock.now(), Infinity);
    }
  }

  #pushTo(session: Session, pages: Map<number, Encoded | undefined>): void {
    const head = this.#options.log.position;
    if (head === undefined || !session.isOpen || session.slowSinceMs !== undefined) return;
    this.#advance(session, head, pages);
    session.keepPosition(this.#options.clock.now());
  }

  #advance(session: Session, head: LogPosition, pages: Map<number, Encoded | undefined>): void {
    if (session.position.epoch !== head.epoch) this.#gap(session, head, "epoch");
    if (head.revision - session.position.revision > maxPushLag && !this.#isQuiet(session, pages)) {
      this.#gap(session, head, "slow");
    }
    while (session.position.revision < head.revision) {
      if (session.isSlow) {
        this.#options.slow(session);
        return;
      }
      const page = this.#page(session.position, pages);
      if (page === undefined) {
        this.#gap(session, head, "compacted");
        return;
      }
      if (page.frame === undefined) {
        this.#skip(session, { epoch: head.epoch, revision: page.to });
        return;
      }
      session.push(page.frame);
      session.position = { epoch: head.epoch, revision: page.to };
    }
  }

  #gap(session: Session, head: LogPosition, why: "compacted" | "epoch" | "slow"): void {
    session.send({ t: "gap", epoch: head.epoch, to: head.revision, why });
    session.position = head;
  }

  /** Whether nothing has happened since that it would have to be told: revisions were taken without an entry. */
  #isQuiet(session: Session, pages: Map<number, Encoded | undefined>): boolean {
    const page = this.#page(session.position, pages);
    return page !== undefined && page.frame === undefined;
  }

  /** Revisions without an entry are passed over in silence: the next entry tells of them. Only now and then a position is said, so that it does not fall too far behind. */
  #skip(session: Session, to: LogPosition): void {
    if (to.revision - session.position.revision < maxSilentRevisions) return;
    session.send({ t: "prog", epoch: to.epoch, to: to.revision });
    session.position = to;
  }

  #page({ revision, epoch }: LogPosition, pages: Map<number, Encoded | undefined>): Encoded | undefined {
    if (!pages.has(revision)) pages.set(revision, this.#encode(revision, epoch));
    return pages.get(revision);
  }

  #encode(after: number, epoch: string): Encoded | undefined {
    const page: LogPage | undefined = this.#options.log.page(after);
    if (page === undefined) return undefined;
    if (page.changes.length === 0) return { to: page.to, frame: undefined };
    const es = page.changes.map(({ revision, kind, key }) => [revision, kind, key] as const);
    return {
      to: page.to,
      frame: new SharedFrame(encodeFrame({ t: "ev", epoch, after, to: page.to, es })),
    };
  }
}

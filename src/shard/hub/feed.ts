import { encodeFrame } from "../../protocol/wire/codec.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { coalesceMs, maxPushLag, maxSilentRevisions, maxSlowMs } from "../../runtime/limits.ts";
import type { LogPage, LogPosition, PublishedLog } from "../published-log.ts";
import type { Session } from "./session.ts";

/** What a {@link Feed} is made of. */
export interface FeedOptions {
  readonly log: Pick<PublishedLog, "position" | "page">;
  /** The sessions that follow the log. */
  readonly followers: () => Iterable<Session>;
  /** Ends a session. */
  readonly close: (session: Session, code: number, reason: string) => void;
  readonly clock: Clock;
  readonly elapsed: Clock;
  readonly timers: Timers;
  /** Takes what failed where nobody waits. */
  readonly report: (error: unknown) => void;
}

/** A page of the log, encoded once for all sessions; without text where it has no entries. */
interface Encoded {
  readonly to: number;
  readonly text: string | undefined;
}

/**
 * Pushes the log to the sessions that follow it, in order (rule SB1): the first entries at once, what comes within the next 16 ms together
 * (rule SB7). What a session has not room for waits in the log, at no cost in memory;
 * one that is too far behind gets a `gap`, one that takes in nothing is closed.
 */
export class Feed {
  readonly #options: FeedOptions;
  #pushedAtMs = Number.NEGATIVE_INFINITY;
  #waiting = false;
  #checking = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** The log has grown. */
  grown(): void {
    if (this.#waiting) return;
    const { elapsed, timers } = this.#options;
    const waitMs = this.#pushedAtMs + coalesceMs - elapsed.now();
    if (waitMs <= 0) {
      this.push();
      return;
    }
    this.#waiting = true;
    timers.after(waitMs, () => {
      this.#waiting = false;
      try {
        this.push();
      } catch (error) {
        this.#options.report(error);
      }
    });
  }

  /** Pushes to all what they don't have yet. */
  push(): void {
    const pages = new Map<number, Encoded | undefined>();
    let any = false;
    for (const session of this.#options.followers()) {
      any = true;
      this.#pushTo(session, pages);
    }
    if (any) this.#pushedAtMs = this.#options.elapsed.now();
  }

  /** Pushes to one session what it does not have yet. */
  pushTo(session: Session): void {
    this.#pushTo(session, new Map());
  }

  /** A session whose pushes waited has taken something in. */
  resume(session: Session): void {
    session.slowSinceMs = this.#options.elapsed.now();
    if (session.isSlow) return;
    session.slowSinceMs = undefined;
    this.pushTo(session);
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
        session.slowSinceMs = this.#options.elapsed.now();
        this.#closeLater(maxSlowMs);
        return;
      }
      const page = this.#page(session.position, pages);
      if (page === undefined) {
        this.#gap(session, head, "compacted");
        return;
      }
      if (page.text === undefined) {
        this.#skip(session, { epoch: head.epoch, revision: page.to });
        return;
      }
      session.push(page.text);
      session.position = { epoch: head.epoch, revision: page.to };
    }
  }

  /** Closes what has taken in nothing for too long; one timer for all, and none while nobody is slow. */
  #closeLater(waitMs: number): void {
    if (this.#checking) return;
    this.#checking = true;
    this.#options.timers.after(waitMs, () => {
      this.#checking = false;
      const nowMs = this.#options.elapsed.now();
      let firstMs = Number.POSITIVE_INFINITY;
      for (const session of [...this.#options.followers()]) {
        if (session.slowSinceMs === undefined) continue;
        const dueMs = session.slowSinceMs + maxSlowMs;
        if (dueMs > nowMs) firstMs = Math.min(firstMs, dueMs);
        else this.#options.close(session, closeCodes.slow, "it takes in nothing; catch up on a new socket");
      }
      if (firstMs < Number.POSITIVE_INFINITY) this.#closeLater(firstMs - nowMs);
    });
  }

  #gap(session: Session, head: LogPosition, why: "compacted" | "epoch" | "slow"): void {
    session.send({ t: "gap", epoch: head.epoch, to: head.revision, why });
    session.position = head;
  }

  /** Whether nothing has happened since that it would have to be told: revisions were taken without an entry. */
  #isQuiet(session: Session, pages: Map<number, Encoded | undefined>): boolean {
    const page = this.#page(session.position, pages);
    return page !== undefined && page.text === undefined;
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
    if (page.changes.length === 0) return { to: page.to, text: undefined };
    const es = page.changes.map(({ revision, kind, key }) => [revision, kind, key] as const);
    return { to: page.to, text: encodeFrame({ t: "ev", epoch, after, to: page.to, es }) };
  }
}

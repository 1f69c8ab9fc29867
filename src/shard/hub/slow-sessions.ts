import { closeCodes } from "../../protocol/wire/frames.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { maxSlowMs } from "../../runtime/limits.ts";
import type { Session } from "./session.ts";

/** What {@link SlowSessions} is made of. */
export interface SlowSessionsOptions {
  readonly close: (session: Session, code: number, reason: string) => void;
  /** Told when the pushes of a session may go on. */
  readonly resume: (session: Session) => void;
  readonly elapsed: Clock;
  readonly timers: Timers;
}

/** The sessions whose pushes wait, because too much is on its way to them. Who takes in nothing is closed. */
export class SlowSessions {
  readonly #options: SlowSessionsOptions;
  readonly #slow = new Set<Session>();
  #checking = false;

  constructor(options: SlowSessionsOptions) {
    this.#options = options;
  }

  /** Its pushes wait from now on. */
  add(session: Session): void {
    session.slowSinceMs = this.#options.elapsed.now();
    session.ask();
    this.#slow.add(session);
    this.#closeLater(maxSlowMs);
  }

  /** It has taken something in. */
  taken(session: Session): void {
    if (session.slowSinceMs === undefined) return;
    session.slowSinceMs = this.#options.elapsed.now();
    if (session.isSlow) return;
    session.slowSinceMs = undefined;
    this.#slow.delete(session);
    this.#options.resume(session);
  }

  /** One timer for all, and none while nobody is slow. */
  #closeLater(waitMs: number): void {
    if (this.#checking) return;
    this.#checking = true;
    this.#options.timers.after(waitMs, () => {
      this.#checking = false;
      const nowMs = this.#options.elapsed.now();
      let firstMs = Number.POSITIVE_INFINITY;
      for (const session of [...this.#slow]) {
        if (!session.isOpen || session.slowSinceMs === undefined) {
          this.#slow.delete(session);
          continue;
        }
        const dueMs = session.slowSinceMs + maxSlowMs;
        if (dueMs > nowMs) firstMs = Math.min(firstMs, dueMs);
        else this.#options.close(session, closeCodes.slow, "it takes in nothing; catch up on a new socket");
      }
      if (firstMs < Number.POSITIVE_INFINITY) this.#closeLater(firstMs - nowMs);
    });
  }
}

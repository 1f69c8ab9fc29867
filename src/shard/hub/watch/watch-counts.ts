import type { Session } from "../session.ts";

/** How many watches the sessions of each subject have. */
export class WatchCounts {
  readonly #counted = new Map<Session, number>();
  readonly #bySubject = new Map<string, number>();

  /** Notes how many `session` has now. */
  note(session: Session, count: number): void {
    const { subject } = session.caller;
    const sum = this.of(subject) - (this.#counted.get(session) ?? 0) + count;
    if (count > 0) this.#counted.set(session, count);
    else this.#counted.delete(session);
    if (sum > 0) this.#bySubject.set(subject, sum);
    else this.#bySubject.delete(subject);
  }

  of(subject: string): number {
    return this.#bySubject.get(subject) ?? 0;
  }
}

import type { LockEnd } from "../protocol/lock.ts";
import type { LockGrant } from "./lock-store.ts";

/** A grant that ended otherwise than by its owner's own word. */
export interface EndedHint {
  readonly name: string;
  readonly fence: number;
  /** The session that it belonged to. */
  readonly session: string | undefined;
  readonly reason: LockEnd;
}

/** What may have become different for those who wait: where to look, not what is true. The facts are in the store, and a hint may be of work that was undone. */
export interface LockHints {
  /** Tickets that were offered a lock, or left the queue. */
  readonly tickets: ReadonlySet<string>;
  /** Elections that took a step. */
  readonly elections: ReadonlySet<string>;
  readonly ended: readonly EndedHint[];
}

/** Gathers hints until they are taken. */
export class HintLedger {
  #tickets = new Set<string>();
  #elections = new Set<string>();
  #ended: EndedHint[] = [];

  settled(ticket: string): void {
    this.#tickets.add(ticket);
  }

  stepped(name: string): void {
    this.#elections.add(name);
  }

  ended({ name, fence, session }: LockGrant, reason: LockEnd): void {
    this.#ended.push({ name, fence, session, reason });
  }

  take(): LockHints {
    const hints = { tickets: this.#tickets, elections: this.#elections, ended: this.#ended };
    this.#tickets = new Set();
    this.#elections = new Set();
    this.#ended = [];
    return hints;
  }
}

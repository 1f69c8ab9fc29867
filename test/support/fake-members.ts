import type { Invalidation, Member, MemberEvents, Members } from "../../src/shard/members.ts";

/** One session of a node: what it was sent, and what it has acknowledged. */
export interface FakeSession extends Member {
  readonly inbox: { readonly n: number; readonly invalidation: Invalidation }[];
  sent: number;
}

/** Sessions as a hub would know them; the test lets them come, acknowledge and go. */
export class FakeMembers implements Members {
  readonly #sessions = new Map<string, FakeSession>();
  #events: MemberEvents | undefined;

  all(): readonly Member[] {
    return [...this.#sessions.values()];
  }

  get(session: string): FakeSession | undefined {
    return this.#sessions.get(session);
  }

  send(session: string, invalidation: Invalidation): number | undefined {
    const found = this.#sessions.get(session);
    if (found === undefined) return undefined;
    found.sent++;
    found.inbox.push({ n: found.sent, invalidation });
    return found.sent;
  }

  listen(events: MemberEvents): void {
    this.#events = events;
  }

  /** A session begins; `isAdopted`: it was there before this instance of the shard. */
  join(session: string, { node = session, zone, isAdopted = false }: JoinOptions = {}): FakeSession {
    const joined = { session, node, zone, inbox: [], sent: 0 };
    this.#sessions.set(session, joined);
    if (!isAdopted) this.#events?.joined(session);
    return joined;
  }

  /** All that it was sent so far is carried out. */
  acknowledge(session: string): void {
    const found = this.#sessions.get(session);
    if (found === undefined) return;
    found.inbox.length = 0;
    this.#events?.acknowledged(session, found.sent);
  }

  /** Its socket ends. */
  close(session: string): void {
    this.#sessions.delete(session);
    this.#events?.left(session);
  }
}

export interface JoinOptions {
  readonly node?: string;
  readonly zone?: string;
  readonly isAdopted?: boolean;
}

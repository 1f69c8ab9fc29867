/** A session of a node: an open socket, or one that ended and whose node lease has not. */
export interface Member {
  readonly session: string;
  /** The node behind it: two sessions of one node count once. */
  readonly node: string;
  readonly zone: string | undefined;
  /** Whether its socket is open: only then can it acknowledge. */
  readonly isOpen: boolean;
  /** End of its node lease by the shard's elapsed clock, the margin for clock rates included; `-Infinity`: it has none. */
  readonly leaseUntilMs: number;
}

/** What holders must drop, and the log position of the intent that says so. */
export interface Invalidation {
  readonly revision: number;
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly tags: readonly string[];
}

/** What strong writes are told about members. */
export interface MemberEvents {
  /** The member has carried out the invalidation that `send` numbered `n`, and all before it. */
  acknowledged(session: string, n: number): void;
  /** Its socket ended. It may hold copies until its lease is over, unless it gave that back. */
  left(session: string): void;
}

/** Who listens to a shard, as strong writes see it; the hub is it. */
export interface Members {
  /** All members whose socket is open or whose lease is not over. */
  all(): readonly Member[];
  /** Sends an invalidation; gives its number in the session, undefined where the socket is gone. */
  send(session: string, invalidation: Invalidation): number | undefined;
  listen(events: MemberEvents): void;
}

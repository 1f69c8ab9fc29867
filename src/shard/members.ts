/** A session of a node with an open socket: only such can acknowledge. */
export interface Member {
  readonly session: string;
  /** The node behind it: two sessions of one node count once. */
  readonly node: string;
  readonly zone: string | undefined;
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
  /**
   * A session has said hello to this very instance. Sessions that an instance found when it woke are not told: what permissions they
   * have from before is unknown, and a node lease is granted to them only after they have dropped all.
   */
  joined(session: string): void;
  /** The member has carried out the invalidation that `send` numbered `n`, and all before it. */
  acknowledged(session: string, n: number): void;
  /** Its socket ended. It may hold copies until its lease is over, unless it gave that back (see `LeaseGrants.giveBack`). */
  left(session: string): void;
}

/** Who listens to a shard, as strong writes see it; the hub is it. */
export interface Members {
  /** All members, each with an open socket. */
  all(): readonly Member[];
  /** The member of this session; undefined: its socket is not open. */
  get(session: string): Member | undefined;
  /** Sends an invalidation; gives its number in the session, undefined where the socket is gone. */
  send(session: string, invalidation: Invalidation): number | undefined;
  listen(events: MemberEvents): void;
}

/** The node leases of a shard: strong writes keep them, the hub asks (`Shard.serve` gives them). */
export interface LeaseGrants {
  /**
   * Grants or renews the node lease of a session; gives its length in ms, to be sent with the pong, or undefined: none now (too many holders, or
   * the session owes an acknowledgement). It may have to wait for a commit; it rejects with a WarpError where that fails, which counts as none.
   */
  grant(session: string): Promise<number | undefined>;
  /** The session serves nothing more under its lease (`bye`): to be told before `left`. */
  giveBack(session: string): void;
  /** End of its lease by the shard's elapsed clock; `-Infinity`: it has none. */
  leaseUntilMs(session: string): number;
}

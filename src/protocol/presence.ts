/** What of presence has changed: a member of a target shows something else, or (null) has left. */
export interface PresenceChange {
  /** The key or prefix, as its board names it. */
  readonly target: string;
  readonly member: string;
  readonly data: unknown;
}

/** What a shard and a relay tell each other of who is there: the members of their own sessions, and of whom else they know. */
export interface RelayPresence {
  /** What was told before is void: what follows is all there is, in this piece and those after it. */
  readonly all?: true;
  readonly changes: readonly PresenceChange[];
}

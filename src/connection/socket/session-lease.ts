import type { NodeLease } from "./node-lease.ts";

/** What a session does about the node lease. */
export type SessionLease = Pick<
  NodeLease,
  "tenure" | "leftMs" | "use" | "isWanted" | "isMissing" | "asks" | "answered" | "end"
>;

/** Of sessions that hold nothing: it is never there and never asked for. */
export const noLease: SessionLease = {
  tenure: 0,
  isMissing: false,
  leftMs: () => Number.NEGATIVE_INFINITY,
  isWanted: () => false,
  use() {},
  asks() {},
  answered() {},
  end() {},
};

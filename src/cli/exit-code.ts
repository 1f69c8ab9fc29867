import { type ErrorCode, isWarpError } from "../errors.ts";

/** Exit codes, for scripts. Printed by `warp --help` and in `docs/cli.md`. */
export const exitCodes = [
  { code: 0, means: "done" },
  { code: 1, means: "it failed; for an import: some lines did" },
  { code: 2, means: "called the wrong way: an argument or a flag is malformed, here or to the server" },
  { code: 3, means: "not found: the key, the space, the registration or the route" },
  { code: 4, means: "a precondition does not hold, or it conflicts with what is there" },
  { code: 5, means: "the token is missing, wrong, expired or not enough; the deployment is closed" },
  { code: 6, means: "the server can't be reached or did not answer in time, or the outcome is unknown" },
  { code: 75, means: "warp lock, warp elect: another has it, and it did not come free in time" },
  { code: 76, means: "warp lock, warp elect: it was lost, and the command was ended" },
  { code: 141, means: "whoever read the output stopped reading, as for other tools" },
] as const;

const failed = 1;
const unknown = 6;

const byCode: Partial<Readonly<Record<ErrorCode, number>>> = {
  invalid_key: 2,
  invalid_encoding: 2,
  invalid_space: 2,
  invalid_pattern: 2,
  invalid_registration: 2,
  invalid_argument: 2,
  invalid_limit: 2,
  invalid_ttl: 2,
  invalid_cursor: 2,
  invalid_version: 2,
  invalid_op_id: 2,
  invalid_lock: 2,
  duplicate_key: 2,
  invalid_frame: 2,
  protocol_mismatch: 2,
  merge_rule_unknown: 2,
  not_found: 3,
  space_not_found: 3,
  registration_not_found: 3,
  lease_not_found: 3,
  ticket_not_found: 3,
  route_not_found: 3,
  precondition_failed: 4,
  registration_conflict: 4,
  space_conflict: 4,
  op_id_reused: 4,
  op_id_expired: 4,
  op_sealed: 4,
  merge_rule_missing: 4,
  lock_held: 4,
  lock_waiting: 4,
  lock_lost: 4,
  not_owner: 4,
  wrong_kind: 4,
  stale_fence: 4,
  token_missing: 5,
  token_invalid: 5,
  token_expired: 5,
  forbidden: 5,
  origin_forbidden: 5,
  host_forbidden: 5,
  deployment_closed: 5,
  deadline_exceeded: 6,
  overloaded: 6,
  unavailable: 6,
  space_deleting: 6,
  storage_timeout: 6,
  storage_unavailable: 6,
  quorum_failed: 6,
  write_interrupted: 6,
  session_ended: 6,
  warp_closed: 6,
};

/** The exit code of an error. An unknown outcome is told apart whatever the code: the call may have been carried out. */
export function exitCodeOf(error: unknown): number {
  if (!isWarpError(error)) return failed;
  return error.outcome === "unknown" ? unknown : (byCode[error.code] ?? failed);
}

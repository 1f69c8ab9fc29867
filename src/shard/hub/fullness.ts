import type { Caller } from "../../protocol/wire/caller.ts";
import { maxPendingSessions, maxSessions } from "../../runtime/limits.ts";
import type { Sessions } from "./sessions.ts";

/** Why there is no room for another session of `caller`; undefined: there is. */
export function fullness(sessions: Sessions, caller: Caller): string | undefined {
  if (sessions.size >= maxSessions) return `the shard has ${maxSessions} sessions`;
  if (caller.isPending === true && sessions.pending >= maxPendingSessions) {
    return `${maxPendingSessions} sockets have not brought their tokens yet`;
  }
  return undefined;
}

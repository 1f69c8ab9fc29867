import { type Caller, isWatcher } from "../../protocol/wire/caller.ts";
import { maxPendingSessions, maxSessions } from "../../runtime/limits.ts";
import { defaultShardWatchers } from "../../runtime/relay-limits.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/**
 * Why there is no room for another session of `caller`; undefined: there is. Nodes and those who watch only have room of their own. Where it is taken
 * `end` is called for those that were silent for too long.
 */
export function fullness(
  sessions: Sessions,
  caller: Caller,
  maxWatchers: number | undefined,
  end: (session: Session) => void,
): string | undefined {
  const watches = isWatcher(caller);
  const max = watches ? (maxWatchers ?? defaultShardWatchers) : maxSessions;
  if (sessions.count(watches) >= max) {
    for (const session of sessions.idle(watches)) end(session);
    if (sessions.count(watches) >= max) return `there are ${max} ${watches ? "watchers" : "sessions"} here`;
  }
  return undefined;
}

/** Why another socket without a token is not taken; undefined: it is. It is not sent elsewhere: nobody unknown takes more than this of any object. */
export function crowding(sessions: Sessions, caller: Caller): string | undefined {
  if (caller.isPending !== true || sessions.pending < maxPendingSessions) return undefined;
  return `${maxPendingSessions} sockets have not brought their tokens yet`;
}

import { type ErrorData, isWarpError, WarpError } from "../errors.ts";
import type { LockCalls } from "../locking/handle-host.ts";
import type { LockCommand, LockVerdict } from "../protocol/lock.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { HttpCall, HttpClient } from "./http.ts";
import { queryText, resourcePath } from "./path.ts";
import { problemOf } from "./problem.ts";
import { recordOf } from "./record.ts";

/** A grant as the server answers it. */
export interface GrantRecord {
  readonly name: string;
  readonly owner: string;
  readonly fence: number;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly count: number;
  readonly replayed?: boolean;
}

type CommandCall = Pick<HttpCall, "method" | "path" | "json">;

/** Where a command goes. Commands and routes are one and the same but in form. */
function callOf(space: string, command: LockCommand): CommandCall {
  const { name } = command;
  const lock = resourcePath(space, "locks", name);
  switch (command.kind) {
    case "acquire": {
      const { kind: _, opId: __, name: ___, as, value, endsWithSession, ...rest } = command;
      if (endsWithSession === true) {
        throw new WarpError("unsupported", "there are no sessions over HTTP for a lock to end with");
      }
      // A wait is by its ticket, which a caller that gives up needs to know.
      const hold = rest.waitMs === undefined ? {} : { holdMs: 0 };
      const body = { ...rest, ...hold, ...(value === undefined ? {} : recordOf(value)) };
      if (as !== "election") return { method: "POST", path: lock, json: { ...body, kind: as } };
      return { method: "POST", path: resourcePath(space, "elections", name), json: body };
    }
    case "claim": {
      const { owner, ticket } = command;
      return { method: "POST", path: lock, json: { owner, ticket, waitMs: 0 } };
    }
    case "cancel": {
      const { owner, ticket } = command;
      return { method: "DELETE", path: lock + queryText({ owner, ticket }) };
    }
    case "renew": {
      const { owner, fence, ttlMs } = command;
      return { method: "PATCH", path: lock, json: { owner, fence, ttlMs } };
    }
    case "release":
    case "confirm": {
      const { owner, fence } = command;
      return {
        method: command.kind === "release" ? "DELETE" : "GET",
        path: lock + queryText({ owner, fence }),
      };
    }
    case "proclaim": {
      const { owner, fence, value } = command;
      const json = { owner, fence, ...recordOf(value) };
      return { method: "PATCH", path: resourcePath(space, "elections", name), json };
    }
    case "force":
      return { method: "DELETE", path: lock + queryText({ force: true, fence: command.fence }) };
  }
}

function heldOf({ fence, ttlMs, remainingMs, count, replayed }: GrantRecord): LockVerdict {
  const verdict = { outcome: "ok", state: "held", fence, ttlMs, remainingMs, count } as const;
  return replayed === true ? { ...verdict, replayed } : verdict;
}

/** Throws again what says nothing definite about the command: the same request may fare better. */
function verdictOf(error: unknown, isWaiter: boolean): LockVerdict {
  if (!isWarpError(error) || problemOf(error) === undefined || error.outcome === "unknown") throw error;
  const { ticket, position, offered, fence, claimWithinMs } = error.details ?? {};
  if (isWaiter && error.code === "lock_waiting" && typeof ticket === "string") {
    if (offered === true) {
      const facts = { fence: Number(fence), claimWithinMs: Number(claimWithinMs) };
      return { outcome: "ok", state: "offered", ticket, ...facts };
    }
    return { outcome: "ok", state: "waiting", ticket, position: Number(position) };
  }
  const isAnswer = error.code === "lock_held" || error.code === "lock_waiting";
  if (error.retryable && !isAnswer) throw error;
  const data: ErrorData = error.toData();
  return { outcome: "fail", error: data };
}

async function send(
  client: HttpClient,
  space: string,
  command: LockCommand,
  limits: CallLimits,
): Promise<LockVerdict> {
  const { kind, opId } = command;
  const { timeoutMs, signal } = limits;
  const call: HttpCall = {
    ...callOf(space, command),
    ...(kind === "confirm" ? {} : { opId }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    if (kind === "release" || kind === "cancel" || kind === "force") {
      const answer = await client.json<{ readonly count?: number; readonly forced?: number }>(call);
      return { outcome: "ok", state: "ended", count: answer.forced ?? answer.count ?? 0 };
    }
    return heldOf(await client.json<GrantRecord>(call));
  } catch (error) {
    return verdictOf(error, kind === "acquire");
  }
}

/**
 * The calls that handles of locks make, over HTTP. Each command is one request. From when `isClosed` says so none is made any more: `warp_closed`.
 */
export function httpLockCalls(client: HttpClient, space: string, isClosed: () => boolean): LockCalls {
  const checkOpen = (): void => {
    if (isClosed()) throw new WarpError("warp_closed", "these locks are closed");
  };
  return {
    async run(commands, limits = {}) {
      checkOpen();
      const verdicts: LockVerdict[] = [];
      for (const command of commands) verdicts.push(await send(client, space, command, limits));
      return verdicts;
    },
    async wait({ name, owner, ticket, waitMs }, { timeoutMs, signal } = {}) {
      checkOpen();
      try {
        const record = await client.json<GrantRecord>({
          method: "POST",
          path: resourcePath(space, "locks", name),
          // It is claimed by a call of its own, so that nobody holds the lock whose host has gone meanwhile.
          json: { owner, ticket, waitMs, claim: false },
          // Whatever became of it, the ticket tells.
          mutation: true,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          ...(signal === undefined ? {} : { signal }),
        });
        return heldOf(record);
      } catch (error) {
        return verdictOf(error, true);
      }
    },
  };
}

import { isWarpError, WarpError } from "../../errors.ts";
import type { Locks } from "../../lock/lock.ts";
import type { LockCommand, LockVerdict } from "../../protocol/lock.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import { maxLockPollMs } from "../../runtime/coordination-limits.ts";
import type { Call } from "../call.ts";
import { json } from "../route.ts";
import { freshOpId, patienceMs, waitLimits } from "./ports.ts";

/** A grant that is the caller's. */
export type Held = Extract<LockVerdict, { readonly state: "held" }>;

type Success = Exclude<LockVerdict, { readonly outcome: "fail" }>;

/** Who stands in the queue, or wants to. */
interface Place {
  readonly name: string;
  readonly owner: string;
}

/** The one verdict of one command. Throws the error of a refusal. */
export async function runCommand(locks: Locks, command: LockCommand, limits: CallLimits): Promise<Success> {
  const [verdict] = await locks.run([command], limits);
  if (verdict === undefined) throw new WarpError("internal", "a command got no verdict");
  return succeeded(verdict);
}

function succeeded(verdict: LockVerdict): Success {
  if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
  return verdict;
}

/** Throws `internal` for a verdict that can't be one of a command that ends in a grant. */
export function heldOf(verdict: Success): Held {
  if (verdict.state !== "held") throw new WarpError("internal", `a grant was said to be ${verdict.state}`);
  return verdict;
}

/** Acquires, and waits for a part of what the command wants to wait, at most `holdMs`. Throws `lock_held`, `lock_waiting` and all else that is against it. */
export async function acquire(
  call: Call,
  command: Extract<LockCommand, { readonly kind: "acquire" }>,
  holdMs = maxLockPollMs,
): Promise<Held> {
  const partMs = Math.min(holdMs, patienceMs(call, command.waitMs ?? 0));
  const untilMs = call.deployment.clock.now() + partMs;
  const locks = call.warp.locks.driver;
  return await settle(call, command, await runCommand(locks, command, call.callOptions), untilMs);
}

/** Goes on waiting under a ticket. `claims` false: see {@link settle}. */
export async function resume(
  call: Call,
  place: Place & { readonly ticket: string },
  waitMs: number,
  claims = true,
): Promise<Held> {
  const { name, owner, ticket } = place;
  const partMs = patienceMs(call, waitMs);
  const untilMs = call.deployment.clock.now() + partMs;
  const first = await poll(call, { name, owner, ticket, waitMs: partMs });
  return await settle(call, place, first, untilMs, claims);
}

async function poll(call: Call, place: Parameters<Locks["wait"]>[0]): Promise<Success> {
  return succeeded(await call.warp.locks.driver.wait(place, waitLimits(call, place.waitMs)));
}

/**
 * Follows a place in the queue until it holds the lock, or the call's time is over: `lock_waiting` then. What is offered is claimed here, so that one call may be all that a
 * caller makes. Whether somebody still listens who has waited for long can't be known on every host: without `claims` the caller is told of the offer instead, and by
 * claiming it shows that it is there.
 */
async function settle(
  call: Call,
  { name, owner }: Place,
  first: Success,
  untilMs: number,
  claims = true,
): Promise<Held> {
  const { clock } = call.deployment;
  let verdict = first;
  for (;;) {
    if (verdict.state === "held") {
      const held = await present(call, { name, owner }, verdict);
      return first.replayed === true ? { ...held, replayed: true } : held;
    }
    if (verdict.state === "ended") throw new WarpError("internal", "a waiter was told of an end");
    const { ticket } = verdict;
    if (verdict.state === "offered") {
      // Nobody is left to have it: who comes next gets the offer.
      if ((call.request.signal as AbortSignal | undefined)?.aborted === true) {
        throw new WarpError("aborted", "the caller gave up while it waited");
      }
      if (!claims) throw itsTurn(verdict);
      const claimed = await claim(call, { name, owner, ticket });
      if (claimed !== undefined) return claimed;
    }
    const leftMs = Math.floor(untilMs - clock.now());
    if (leftMs <= 0) throw stillWaiting(ticket, verdict.state === "waiting" ? verdict.position : 1);
    verdict = await poll(call, { name, owner, ticket, waitMs: Math.min(leftMs, maxLockPollMs) });
  }
}

/** Undefined: the offer had passed; the place is still there. */
async function claim(call: Call, place: Place & { readonly ticket: string }): Promise<Held | undefined> {
  const command = { kind: "claim", opId: freshOpId(call), ...place } as const;
  try {
    return heldOf(await runCommand(call.warp.locks.driver, command, call.callOptions));
  } catch (error) {
    if (isWarpError(error, "lock_lost")) return undefined;
    throw error;
  }
}

/**
 * What a verdict comes to now. That of a repeated op id says what was so once, and a success has to mean that the lock is held: so it is asked again, and `lock_lost` where
 * it has ended since.
 */
export async function present(call: Call, { name, owner }: Place, held: Held): Promise<Held> {
  if (held.replayed !== true) return held;
  const command = { kind: "confirm", opId: freshOpId(call), name, owner, fence: held.fence } as const;
  const now = heldOf(await runCommand(call.warp.locks.driver, command, call.callOptions));
  return { ...now, replayed: true };
}

function stillWaiting(ticket: string, position: number): WarpError {
  return new WarpError("lock_waiting", "another has the lock; call again with the ticket to go on waiting", {
    details: { ticket, position },
  });
}

function itsTurn({ ticket, fence, claimWithinMs }: Extract<Success, { state: "offered" }>): WarpError {
  return new WarpError(
    "lock_waiting",
    "it is this waiter's turn; call again with the ticket to take the lock",
    {
      details: {
        ticket,
        position: 1,
        offered: true,
        fence,
        claimWithinMs: Math.max(0, Math.floor(claimWithinMs)),
      },
    },
  );
}

/** The answer about a grant. */
export function heldAnswer(
  place: { readonly name: string; readonly owner: string },
  held: Held,
  status: number,
  opId?: string,
): Response {
  const { fence, ttlMs, remainingMs, count } = held;
  const replayed = held.replayed === true;
  const body = {
    ...place,
    fence,
    ttlMs,
    remainingMs: Math.max(0, Math.floor(remainingMs)),
    count,
    ...(opId === undefined ? {} : { opId, replayed }),
  };
  return json(body, status, replayed ? { "Warp-Replayed": "true" } : {});
}

import { scopeOpId } from "../../protocol/operation.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import { maxLockPollMs } from "../../runtime/coordination-limits.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { defaultTimeoutMs, maxTimeoutMs } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";

/** The op id of a command, scoped to whose it is. It stands on the answer. */
export function commandOpId(call: Call): string {
  return scopeOpId(call.grant.subject, call.takeOpId());
}

/** An op id for a command that the caller did not ask for in so many words. */
export function freshOpId(call: Call): string {
  const { clock, random } = call.deployment;
  return scopeOpId(call.grant.subject, uuidv7(clock, random));
}

/** Time that a call which waits keeps to give its answer in, out of the deadline that it was given. */
const answerMs = 1_000;
/** A wait that ends is told by the authority: for so long it is asked beyond that moment. */
const overMs = 250;

/** How long this call may wait, of the `waitMs` that are wanted: below the caller's deadline, if it gave one, and at most 25 s. */
export function patienceMs(call: Call, waitMs: number): number {
  const { timeoutMs } = call.callOptions;
  const most = timeoutMs === undefined ? maxLockPollMs : Math.max(timeoutMs / 2, timeoutMs - answerMs);
  return Math.floor(Math.min(waitMs + overMs, most, maxLockPollMs));
}

/** The limits of a call that waits `waitMs` by itself: they count beyond that, and it ends when nobody listens any more. */
export function waitLimits(call: Call, waitMs: number): CallLimits {
  const { timeoutMs = defaultTimeoutMs } = call.callOptions;
  // Some hosts make requests without a signal.
  const signal = call.request.signal as AbortSignal | undefined;
  return {
    timeoutMs: Math.min(maxTimeoutMs, waitMs + timeoutMs),
    ...(signal === undefined ? {} : { signal }),
  };
}

import { isWarpError, WarpError } from "../errors.ts";
import type { LockCommand, LockVerdict } from "../protocol/lock.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Random } from "../runtime/random.ts";
import type { HandleHost, TermHost } from "./handle-host.ts";
import { aborted, hasGivenUp, pause, retryWaitMs } from "./patience.ts";

/** One request of several waits at most so long for its answer before it is repeated, in ms. */
const longestTryMs = 5_000;
const shortestTryMs = 250;

/** A verdict, and when its command had left for the first time: it may have been carried out as early as that. */
export interface Answered<V> {
  readonly verdict: V;
  readonly sentAtMs: number;
}

/** Until when it is tried (elapsed clock), and for whom. */
export interface AttemptLimits {
  readonly untilMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one command about a lock until it has a verdict: see {@link persist}. */
export function sendUntil(
  host: HandleHost,
  command: LockCommand,
  limits: AttemptLimits,
): Promise<Answered<LockVerdict>> {
  return persist(host, (options) => host.calls.run([command], options), limits);
}

/**
 * Calls `send`, which sends one command always under the same op id, until it has a verdict: however often it arrives, it is carried out once (rule OU2). Gives up at
 * `untilMs` or at the signal. Throws the last error, with the outcome `unknown` if any request may have arrived.
 */
export async function persist<V>(
  host: TermHost & { readonly random: Random },
  send: (options: CallLimits) => Promise<readonly V[]>,
  { untilMs, signal }: AttemptLimits,
): Promise<Answered<V>> {
  const { elapsed } = host;
  const sentAtMs = elapsed.now();
  let unknown = false;
  for (let failures = 0; ; failures++) {
    if (hasGivenUp(signal)) throw withDoubt(aborted(signal), unknown);
    try {
      const restMs = untilMs - elapsed.now();
      const tryMs = Math.max(shortestTryMs, Math.min(longestTryMs, restMs / 3));
      const timeoutMs = Math.max(1, Math.min(restMs, tryMs));
      const [verdict] = await send({ timeoutMs, ...(signal === undefined ? {} : { signal }) });
      if (verdict === undefined) throw new WarpError("internal", "a command was left unanswered");
      return { verdict, sentAtMs };
    } catch (error) {
      if (isWarpError(error) && error.outcome === "unknown") unknown = true;
      if (hasGivenUp(signal)) throw withDoubt(aborted(signal), unknown);
      if (!isPassing(error)) throw withDoubt(error, unknown);
      const waitMs = retryWaitMs(failures, host.random);
      if (elapsed.now() + waitMs >= untilMs) throw withDoubt(error, unknown);
      await pause(host.timers, waitMs, signal).catch((cause: unknown) => {
        throw withDoubt(cause, unknown);
      });
    }
  }
}

/** Whether the same request may fare better later. */
export function isPassing(error: unknown): boolean {
  return isWarpError(error) && (error.retryable || error.outcome === "unknown") && error.code !== "aborted";
}

/** What may have been done is not undone by a later refusal of the whole call. */
function withDoubt(error: unknown, unknown: boolean): unknown {
  if (!unknown || !isWarpError(error) || error.outcome === "unknown") return error;
  return new WarpError(error.code, error.message, { ...error.toData(), outcome: "unknown", cause: error });
}

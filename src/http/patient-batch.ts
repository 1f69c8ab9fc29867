import type { BatchOperation, BatchResult } from "../core/types.ts";
import type { Timers } from "../runtime/clock.ts";
import { importPatienceMs } from "../runtime/limits.ts";

/** How operations are sent that may have to wait. */
export interface PatientBatch {
  /** Sends operations that have op ids, so that they can be sent again. */
  readonly send: (operations: readonly BatchOperation[]) => Promise<readonly BatchResult[]>;
  /** Absent: nobody waits. */
  readonly timers: Timers | undefined;
  /** Whether nobody is interested any more. */
  readonly isOver: () => boolean;
}

/**
 * The results of operations, those that were refused because too much waits at their shard sent again after the time that it asks for. Given up when for a minute none of them got
 * through: they then end as they were refused.
 */
export async function sendPatiently(
  operations: readonly BatchOperation[],
  { send, timers, isOver }: PatientBatch,
): Promise<readonly BatchResult[]> {
  const results = [...(await send(operations))];
  let waiting = refused(results);
  let leftMs = importPatienceMs;
  while (waiting.length > 0 && timers !== undefined && !isOver()) {
    const waitMs = Math.max(...waiting.map((at) => askedMs(results[at])));
    if (waitMs > leftMs) break;
    await new Promise<void>((done) => timers.after(waitMs, done, { awaited: true }));
    const again = await send(waiting.flatMap((at) => operations[at] ?? []));
    for (const [i, at] of waiting.entries()) {
      const result = again[i];
      if (result !== undefined) results[at] = result;
    }
    const still = refused(results);
    leftMs = still.length < waiting.length ? importPatienceMs : leftMs - waitMs;
    waiting = still;
  }
  return results;
}

/** The places of those that may be sent again when they have waited. */
function refused(results: readonly BatchResult[]): number[] {
  return [...results.keys()].filter((at) => askedMs(results[at]) > 0);
}

/** How long a refusal asks to wait; 0: it is none of that kind. */
function askedMs(result: BatchResult | undefined): number {
  if (result === undefined || !("error" in result)) return 0;
  const { code, outcome, retryAfterMs = 0 } = result.error;
  return code === "overloaded" && outcome === "fail" ? retryAfterMs : 0;
}

import { WarpError } from "../errors.ts";
import { maxUpstashPollMs, minUpstashPollMs } from "../runtime/upstash-limits.ts";

/** How a stream in Redis is looked at. */
export interface UpstashPollingOptions {
  /**
   * `timer` (default): looked at again and again while somebody listens; the timer ends with the last one. `driven`: only when `poll()` is called, by the host's alarm or before a
   * read: for isolates, where a timer ends with its request.
   */
  readonly polling?: "timer" | "driven";
  /** The pause after a look that found something: 10 to 60,000 ms, default 50. */
  readonly pollMinMs?: number;
  /** The pause that looks which find nothing come to, by doubling: from `pollMinMs` to 60,000 ms, default 2,000 or `pollMinMs` if that is more. */
  readonly pollMaxMs?: number;
}

/** Throws `invalid_argument` naming the field. */
export function resolvePolling(options: UpstashPollingOptions): {
  readonly isTimed: boolean;
  readonly minMs: number;
  readonly maxMs: number;
} {
  const { polling = "timer", pollMinMs = 50, pollMaxMs = Math.max(2_000, pollMinMs) } = options;
  if (polling !== "timer" && polling !== "driven") throw wrong("polling", "polling is timer or driven");
  checkPause("pollMinMs", pollMinMs, minUpstashPollMs);
  checkPause("pollMaxMs", pollMaxMs, pollMinMs);
  return { isTimed: polling === "timer", minMs: pollMinMs, maxMs: pollMaxMs };
}

function checkPause(field: string, value: number, min: number): void {
  if (value >= min && value <= maxUpstashPollMs) return;
  throw wrong(field, `${field} is a number from ${min} to ${maxUpstashPollMs}`);
}

function wrong(field: string, message: string): WarpError {
  return new WarpError("invalid_argument", message, { details: { field } });
}

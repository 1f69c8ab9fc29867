import { WarpError } from "../errors.ts";
import { checkUpstashAddress, type UpstashAddress } from "../protocol/upstash-address.ts";
import type { Timers } from "../runtime/clock.ts";
import { defaultTimeoutMs, maxTimeoutMs } from "../runtime/limits.ts";
import type { Random } from "../runtime/random.ts";
import { defaultUpstashRequestBytes } from "../runtime/upstash-limits.ts";

/** How an Upstash database is reached. */
export interface UpstashOptions extends UpstashAddress {
  readonly timers: Timers;
  readonly random: Random;
  /** How long a call may take unless its caller says otherwise: 1 to 120,000 ms, default 10,000. */
  readonly timeoutMs?: number;
  /** How often a read is tried in all where the storage can't be reached: 1 to 10, default 3. Nothing that writes is ever sent twice. */
  readonly attempts?: number;
  /** Largest request, in bytes: 65,536 or more, default 10,000,000. What is larger is refused before it is sent. */
  readonly maxRequestBytes?: number;
}

/** {@link UpstashOptions} with every default in its place. */
export type ResolvedUpstash = Required<UpstashOptions>;

/** Throws `invalid_argument` naming the field. Tokens and URLs are not quoted. */
export function resolveUpstash(options: UpstashOptions): ResolvedUpstash {
  const { url, token, timeoutMs = defaultTimeoutMs, attempts = 3 } = options;
  const { maxRequestBytes = defaultUpstashRequestBytes } = options;
  checkUpstashAddress(url, token);
  if (!(timeoutMs >= 1 && timeoutMs <= maxTimeoutMs)) {
    throw wrong("timeoutMs", `timeoutMs is a number from 1 to ${maxTimeoutMs}`);
  }
  if (!(Number.isInteger(attempts) && attempts >= 1 && attempts <= 10)) {
    throw wrong("attempts", "attempts is a whole number from 1 to 10");
  }
  if (!(Number.isInteger(maxRequestBytes) && maxRequestBytes >= 65_536)) {
    throw wrong("maxRequestBytes", "maxRequestBytes is a whole number from 65,536 on");
  }
  return { ...options, timeoutMs, attempts, maxRequestBytes };
}

function wrong(field: string, message: string): WarpError {
  return new WarpError("invalid_argument", message, { details: { field } });
}

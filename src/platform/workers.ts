/** What workerd gives: the host side of `src/runtime/` for the Worker and its objects. */

import { waitUntil } from "cloudflare:workers";
import type { Background } from "../runtime/background.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Sql, SqlRow, SqlValue } from "../runtime/sql.ts";

/** The host's wall clock. It stands still between two I/O events. */
export const workersClock: Clock = { now: () => Date.now() };

/** Timers of the current request: they die with it. */
export const workersTimers: Timers = {
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return () => clearTimeout(handle);
  },
};

/** The host's strong randomness. */
export const workersRandom: Random = { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };

/** Background work is held by the current request's `waitUntil`; what it rejects with is reported to `onError`. */
export function workersBackground(onError: (error: unknown) => void): Background {
  return { run: (work) => waitUntil(work.catch(onError)) };
}

/** A SQLite object's storage as {@link Sql}. */
export function workersSql(storage: DurableObjectStorage): Sql {
  return {
    all: <Row extends SqlRow>(query: string, ...bindings: SqlValue[]) =>
      storage.sql.exec(query, ...bindings).toArray() as Row[],
    run: (query, ...bindings) => {
      storage.sql.exec(query, ...bindings);
    },
    transaction: (work) => storage.transactionSync(work),
  };
}

/** Structured logs: one JSON object a line. An error is told by its name, message and stack; never put values or tokens in `facts`. */
export const workersLog = {
  error(message: string, facts: Readonly<Record<string, unknown>>): void {
    // biome-ignore lint/suspicious/noConsole: the console is a Worker's log.
    console.error(JSON.stringify({ level: "error", message, ...facts }, plainError));
  },
};

function plainError(_name: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, stack, ...(cause === undefined ? {} : { cause }) };
}

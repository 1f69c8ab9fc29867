/** What Node gives: the host side of `src/runtime/` for servers, tests and scripts. */

import { randomBytes } from "node:crypto";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { Background } from "../runtime/background.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import { elapsedClock } from "../runtime/elapsed.ts";
import type { Random } from "../runtime/random.ts";
import type { Sql, SqlRow, SqlValue } from "../runtime/sql.ts";

/** The host's wall clock. */
export const nodeClock: Clock = { now: () => Date.now() };

/** Time as it passes, whatever happens to the wall clock. */
export const nodeElapsed: Clock = elapsedClock(nodeClock, { now: () => performance.now() });

/** Timers that don't keep the process alive, except those that a caller waits for. */
export const nodeTimers: Timers = {
  after(delayMs, run, options) {
    const handle = setTimeout(run, delayMs);
    if (options?.awaited !== true) handle.unref();
    return () => clearTimeout(handle);
  },
};

/** The host's strong randomness. */
export const nodeRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };

/** Background work just runs; what it rejects with is reported to `onError`. */
export function nodeBackground(onError: (error: unknown) => void): Background {
  return { run: (work) => void work.catch(onError) };
}

/** All that a `Warp` asks of its host: `standalone({ host: nodeHost() })`. What background work fails with goes to `onError`, by default a warning of the process. */
export function nodeHost(onError: (error: unknown) => void = warn) {
  return {
    clock: nodeClock,
    elapsed: nodeElapsed,
    timers: nodeTimers,
    random: nodeRandom,
    background: nodeBackground(onError),
  };
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error), "WarpBackground");
}

/** `node:sqlite` as {@link Sql}. `path` is a file or `":memory:"`. */
export function nodeSql(path = ":memory:"): Sql & { close(): void } {
  const database = new DatabaseSync(path);
  const statements = new Map<string, StatementSync>();
  let depth = 0;
  const prepare = (query: string): StatementSync => {
    let statement = statements.get(query);
    if (statement === undefined) {
      statement = database.prepare(query);
      statements.set(query, statement);
    }
    return statement;
  };
  return {
    all: <Row extends SqlRow>(query: string, ...bindings: SqlValue[]) =>
      prepare(query).all(...(bindings as SQLInputValue[])) as Row[],
    run: (query, ...bindings) => {
      prepare(query).run(...(bindings as SQLInputValue[]));
    },
    transaction(work) {
      const name = `warp_${depth}`;
      const outermost = depth === 0;
      database.exec(outermost ? "BEGIN IMMEDIATE" : `SAVEPOINT ${name}`);
      depth++;
      try {
        const result = work();
        database.exec(outermost ? "COMMIT" : `RELEASE ${name}`);
        return result;
      } catch (error) {
        // SQLite itself may have ended the transaction (disk full, for one); then there is nothing left to undo.
        if (database.isTransaction) {
          database.exec(outermost ? "ROLLBACK" : `ROLLBACK TO ${name}; RELEASE ${name}`);
        }
        throw error;
      } finally {
        depth--;
      }
    },
    close: () => database.close(),
  };
}

import type { Sql, SqlRow, SqlValue } from "../../../src/runtime/sql.ts";

/** All that a database holds. */
export interface Dump {
  readonly schema: readonly string[];
  readonly tables: ReadonlyMap<string, readonly SqlRow[]>;
}

const own = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";

export function dump(sql: Sql): Dump {
  const tables = sql.all(`SELECT name FROM sqlite_master WHERE type = 'table' AND ${own}`);
  const schema = sql.all(
    `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND ${own} ORDER BY type = 'index'`,
  );
  return {
    schema: schema.map((row) => String(row.sql)),
    tables: new Map(tables.map(({ name }) => [String(name), sql.all(`SELECT * FROM ${name}`)])),
  };
}

/** Makes `sql` hold what was dumped and nothing else. */
export function restore(sql: Sql, { schema, tables }: Dump): void {
  sql.transaction(() => {
    for (const { name } of sql.all(`SELECT name FROM sqlite_master WHERE type = 'table' AND ${own}`)) {
      sql.run(`DROP TABLE ${name}`);
    }
    for (const statement of schema) sql.run(statement);
    for (const [name, rows] of tables) {
      for (const row of rows) {
        const values: SqlValue[] = Object.values(row);
        sql.run(`INSERT INTO ${name} VALUES (${values.map(() => "?").join(", ")})`, ...values);
      }
    }
  });
}

/**
 * A database whose commits become durable only when the test says so, with the platform's output gate: what an instance says leaves once all that
 * it had written by then is durable.
 */
export class VolatileSql implements Sql {
  #sql: Sql;
  #depth = 0;
  /** What is durable; undefined: all of it. */
  #durable: Dump | undefined;
  #waiting: (() => void)[] = [];
  state: "alive" | "superseded" | "dead" = "alive";

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get isDirty(): boolean {
    return this.#durable !== undefined;
  }

  all: Sql["all"] = (query, ...bindings) => {
    this.#live();
    return this.#sql.all(query, ...bindings);
  };

  run: Sql["run"] = (query, ...bindings) => {
    this.#live();
    this.#durable ??= dump(this.#sql);
    this.#sql.run(query, ...bindings);
  };

  transaction<T>(work: () => T): T {
    this.#live();
    if (this.#depth === 0) this.#durable ??= dump(this.#sql);
    this.#depth++;
    try {
      return this.#sql.transaction(work);
    } finally {
      this.#depth--;
    }
  }

  /** Settles when all that is written now is durable; never for an instance that is not the authority. */
  async settled(): Promise<void> {
    if (this.isDirty || this.state === "dead") {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }

  flush(): void {
    if (this.state !== "alive") return;
    this.#durable = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** It ends: what was not durable is lost, or turns out to have been durable. */
  die(isLost: boolean): void {
    if (isLost && this.#durable !== undefined) restore(this.#sql, this.#durable);
    this.state = "dead";
  }

  /** It lives on, on a copy in `spare`, and can't commit. */
  supersede(isLost: boolean, spare: Sql): void {
    restore(spare, dump(this.#sql));
    this.die(isLost);
    this.#sql = spare;
    this.state = "superseded";
  }

  #live(): void {
    if (this.state === "dead") throw new Error("this instance is dead");
  }
}

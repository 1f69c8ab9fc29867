import type { Sql } from "../../src/runtime/sql.ts";

/** A database as one instance of a shard sees it, whose commits become durable only when the test says so. */
export interface UndurableSql extends Sql {
  readonly isDirty: boolean;
  readonly state: string;
  /** Settles when all that is written now is durable; never for an instance that has ended. */
  settled(): Promise<void>;
  flush(): void;
  /** The instance ends; `isLost`: with what was not durable. */
  die(isLost: boolean): void;
}

/** An {@link UndurableSql} that costs next to nothing: what is not durable is a transaction of SQLite's. Not where the host keeps these to itself. */
export class SavepointSql implements UndurableSql {
  readonly #sql: Sql;
  #depth = 0;
  #waiting: (() => void)[] = [];
  isDirty = false;
  state: "alive" | "dead" = "alive";

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  all: Sql["all"] = (query, ...bindings) => {
    this.#live();
    return this.#sql.all(query, ...bindings);
  };

  run: Sql["run"] = (query, ...bindings) => {
    this.#begin();
    this.#sql.run(query, ...bindings);
  };

  transaction<T>(work: () => T): T {
    this.#begin();
    const name = `part_${this.#depth++}`;
    this.#sql.run(`SAVEPOINT ${name}`);
    try {
      const result = work();
      this.#sql.run(`RELEASE ${name}`);
      return result;
    } catch (error) {
      this.#sql.run(`ROLLBACK TO ${name}`);
      this.#sql.run(`RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  async settled(): Promise<void> {
    if (this.isDirty || this.state === "dead") {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }

  flush(): void {
    if (this.state === "dead") return;
    this.#keep();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  die(isLost: boolean): void {
    if (isLost && this.isDirty) this.#sql.run("ROLLBACK TO undurable");
    this.#keep();
    this.state = "dead";
  }

  #begin(): void {
    this.#live();
    if (this.isDirty) return;
    this.#sql.run("SAVEPOINT undurable");
    this.isDirty = true;
  }

  #keep(): void {
    if (this.isDirty) this.#sql.run("RELEASE undurable");
    this.isDirty = false;
  }

  #live(): void {
    if (this.state === "dead") throw new Error("this instance is dead");
  }
}

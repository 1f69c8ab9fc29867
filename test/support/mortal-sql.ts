import type { Sql } from "../../src/runtime/sql.ts";

/** A database as one instance of a shard sees it: once that is dead, nothing it does reaches the storage, and nothing settles for it. */
export class MortalSql implements Sql {
  readonly #sql: Sql;
  isDead = false;
  /** Called before each statement that writes; may throw. */
  onWrite: (query: string) => void = () => {};

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  all: Sql["all"] = (query, ...bindings) => {
    this.#live();
    return this.#sql.all(query, ...bindings);
  };

  run: Sql["run"] = (query, ...bindings) => {
    this.#live();
    this.onWrite(query);
    this.#sql.run(query, ...bindings);
  };

  transaction<T>(work: () => T): T {
    this.#live();
    return this.#sql.transaction(work);
  }

  /** What it has written is durable; never settles for the dead. */
  async durable(): Promise<void> {
    if (this.isDead) await new Promise<never>(() => {});
  }

  #live(): void {
    if (this.isDead) throw new Error("this instance is dead");
  }
}

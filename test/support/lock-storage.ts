import type { Sql } from "../../src/runtime/sql.ts";

/** Storage whose durability the test gives out, commit by commit. */
export class Durability {
  isHeld = false;
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];

  readonly durable = (): Promise<void> =>
    this.isHeld
      ? new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }))
      : Promise.resolve();

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Lets the first commit that waits be durable, or not. */
  next(error?: Error): void {
    const first = this.#waiting.shift();
    if (error === undefined) first?.resolve();
    else first?.reject(error);
  }
}

/** Fails the statements that write while `fails` says so. */
export class FailingStorage implements Sql {
  readonly #sql: Sql;
  fails: (query: string) => boolean = () => false;
  writes = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  all: Sql["all"] = (query, ...bindings) => this.#sql.all(query, ...bindings);

  run: Sql["run"] = (query, ...bindings) => {
    this.writes++;
    if (this.fails(query)) throw new Error("database or disk is full");
    this.#sql.run(query, ...bindings);
  };

  transaction<T>(work: () => T): T {
    return this.#sql.transaction(work);
  }
}

import type { Sql } from "../runtime/sql.ts";
import type { SubscriptionRecord } from "./hub/watch/subscription.ts";

/** What sessions watch, where it is too much for the attachments of their sockets. */
export class SubscriptionTable {
  readonly #sql: Sql;
  readonly #residence: { open(): object | undefined };

  /** `residence`: opens nothing as long as there is no table. */
  constructor(sql: Sql, residence: { open(): object | undefined }) {
    this.#sql = sql;
    this.#residence = residence;
  }

  /** False: the shard belongs to no space, and there is no table. */
  get isOpen(): boolean {
    return this.#residence.open() !== undefined;
  }

  /** Where it is not open any more the space has gone, and its sockets are about to. */
  save(session: string, records: readonly SubscriptionRecord[]): void {
    if (!this.isOpen) return;
    this.#sql.run("INSERT OR REPLACE INTO subscriptions VALUES (?, ?)", session, JSON.stringify(records));
  }

  load(session: string): readonly SubscriptionRecord[] {
    if (!this.isOpen) return [];
    const [row] = this.#sql.all<{ records: string }>(
      "SELECT records FROM subscriptions WHERE session = ?",
      session,
    );
    return row === undefined ? [] : JSON.parse(row.records);
  }

  drop(session: string): void {
    if (!this.isOpen) return;
    this.#sql.run("DELETE FROM subscriptions WHERE session = ?", session);
  }

  /** Removes those of sessions that are not open any more. */
  prune(isOpen: (session: string) => boolean): void {
    if (!this.isOpen) return;
    for (const { session } of this.#sql.all<{ session: string }>("SELECT session FROM subscriptions")) {
      if (!isOpen(session)) this.drop(session);
    }
  }
}

import { WarpError } from "../errors.ts";
import { PatternIndex } from "../protocol/pattern-index.ts";
import {
  type RegistrationSettings,
  type StoredRegistration,
  sameSettings,
} from "../protocol/registration.ts";
import { maxRegistrations } from "../runtime/limits.ts";
import type { Sql } from "../runtime/sql.ts";

/**
 * The registrations that a shard knows: those of its space (in the database; shard 0 is their home, others keep a copy) and the
 * static ones of the deployment's configuration, which win.
 */
export class RegistrationTable {
  readonly #sql: Sql;
  readonly #statics: readonly StoredRegistration[];
  #index: PatternIndex<StoredRegistration> | undefined;

  constructor(sql: Sql, statics: readonly StoredRegistration[]) {
    this.#sql = sql;
    this.#statics = statics;
  }

  /** Forgets what was read, after a transaction that was undone. */
  reload(): void {
    this.#index = undefined;
  }

  /** All of the space's own, by pattern. */
  stored(): StoredRegistration[] {
    return this.#sql
      .all<{ pattern: string; settings: string; version: number }>(
        "SELECT pattern, settings, version FROM registrations ORDER BY pattern",
      )
      .map((row) => ({
        pattern: row.pattern,
        settings: JSON.parse(row.settings) as RegistrationSettings,
        version: row.version,
        source: "space" as const,
      }));
  }

  /** Whether any registration speaks for `key`. */
  covers(key: string): boolean {
    return this.#patterns().match(key) !== undefined;
  }

  get(pattern: string): StoredRegistration | undefined {
    return this.#patterns().get(pattern);
  }

  /**
   * What registering would come to: `undefined` where the very same settings stand already, else nothing stands in the way.
   * Throws `registration_conflict`, or `batch_too_large` where the space is full.
   */
  check(
    pattern: string,
    settings: RegistrationSettings,
    ifVersion: number | undefined,
  ): StoredRegistration | undefined {
    const present = this.get(pattern);
    if (present === undefined) {
      if (ifVersion !== undefined) {
        throw new WarpError("precondition_failed", "there is no registration of this pattern", {
          details: { version: 0 },
        });
      }
      this.#checkRoom();
      return undefined;
    }
    if (present.source === "static") {
      if (sameSettings(present.settings, settings)) return present;
      throw new WarpError(
        "registration_conflict",
        "the deployment's configuration registers this pattern differently",
      );
    }
    if (ifVersion !== undefined && ifVersion !== present.version) {
      throw new WarpError("precondition_failed", "the registration is at another version", {
        details: { version: present.version },
      });
    }
    if (sameSettings(present.settings, settings)) return present;
    if (ifVersion === undefined) {
      throw new WarpError(
        "registration_conflict",
        "this pattern is registered with other settings; name its version to change it",
        { details: { version: present.version } },
      );
    }
    return undefined;
  }

  put(registration: StoredRegistration): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?)",
      registration.pattern,
      JSON.stringify(registration.settings),
      registration.version,
    );
    this.#index = undefined;
  }

  /** Removes a pattern of the space's own; gives whether it was there. Static ones: `registration_conflict`. */
  remove(pattern: string): boolean {
    const present = this.get(pattern);
    if (present === undefined) return false;
    if (present.source === "static") {
      throw new WarpError("registration_conflict", "the deployment's configuration registers this pattern");
    }
    this.#sql.run("DELETE FROM registrations WHERE pattern = ?", pattern);
    this.#index = undefined;
    return true;
  }

  /** Puts `list` in the place of all. */
  replaceAll(list: readonly StoredRegistration[]): void {
    this.#sql.run("DELETE FROM registrations");
    for (const registration of list) if (registration.source === "space") this.put(registration);
    this.#index = undefined;
  }

  #patterns(): PatternIndex<StoredRegistration> {
    if (this.#index === undefined) {
      this.#index = new PatternIndex();
      for (const registration of this.stored()) this.#index.set(registration.pattern, registration);
      for (const registration of this.#statics) this.#index.set(registration.pattern, registration);
    }
    return this.#index;
  }

  #checkRoom(): void {
    const [row] = this.#sql.all<{ n: number }>("SELECT count(*) AS n FROM registrations");
    if ((row?.n ?? 0) >= maxRegistrations) {
      throw new WarpError("batch_too_large", `a space has at most ${maxRegistrations} registrations`, {
        details: { max: maxRegistrations },
      });
    }
  }
}

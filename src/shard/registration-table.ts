import { WarpError } from "../errors.ts";
import { PatternIndex } from "../protocol/pattern-index.ts";
import {
  type HistoryPolicy,
  type RegistrationSettings,
  type StoredRegistration,
  sameSettings,
} from "../protocol/registration.ts";
import { coverageMoves } from "../protocol/versions.ts";
import { maxRegistrations } from "../runtime/limits.ts";
import type { Sql } from "../runtime/sql.ts";

/**
 * The registrations that a shard knows: those of its space (in the database; shard 0 is their home, others keep a copy) and the
 * static ones of the deployment's configuration, which win.
 */
export class RegistrationTable {
  readonly #sql: Sql;
  readonly #statics: readonly StoredRegistration[];
  /** What the static ones say about history: tells whether another deployment's say something else. */
  readonly staticHistory: string;
  #index: PatternIndex<StoredRegistration> | undefined;
  #keepsHistory = false;
  #wantsQuorum = false;

  constructor(sql: Sql, statics: readonly StoredRegistration[]) {
    this.#sql = sql;
    this.#statics = statics;
    this.staticHistory = JSON.stringify(statics.map(({ pattern, settings }) => [pattern, settings.history]));
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

  /** The registration that speaks for `key`; undefined: none. */
  settings(key: string): RegistrationSettings | undefined {
    return this.#patterns().match(key)?.settings;
  }

  /** Whether any registration keeps versions. */
  get keepsHistory(): boolean {
    this.#patterns();
    return this.#keepsHistory;
  }

  /** What is to be kept of `key`'s versions; undefined: none. */
  history(key: string): HistoryPolicy | undefined {
    return this.keepsHistory ? this.#patterns().match(key)?.settings.history : undefined;
  }

  /** Whether any registration asks for a quorum. */
  get wantsQuorum(): boolean {
    this.#patterns();
    return this.#wantsQuorum;
  }

  /** How many other nodes, in how many zones, must have dropped `key` before it is written; undefined: only holders count. */
  quorum(key: string): { readonly nodes: number; readonly zones: number } | undefined {
    const { quorum, minZones = 0 } = this.#patterns().match(key)?.settings ?? {};
    return quorum === undefined ? undefined : { nodes: quorum, zones: minZones };
  }

  /** The pattern that speaks for `key`; undefined: none does. */
  patternOf(key: string): string | undefined {
    return this.#patterns().match(key)?.pattern;
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

  /** Gives whether what history is kept moves with it: see `coverageMoves`. */
  put(registration: StoredRegistration): boolean {
    const before = this.get(registration.pattern)?.settings;
    this.#write(registration);
    this.#index = undefined;
    return coverageMoves(before, registration.settings);
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

  /** Puts `list` in the place of all. Gives whether what history is kept moves with it. */
  replaceAll(list: readonly StoredRegistration[]): boolean {
    const before = this.stored();
    const patterns = new Set(list.map(({ pattern }) => pattern));
    const gone = before.filter(({ pattern }) => !patterns.has(pattern));
    for (const { pattern } of gone) this.#sql.run("DELETE FROM registrations WHERE pattern = ?", pattern);
    let moved = gone.length > 0;
    const settings = new Map(before.map((registration) => [registration.pattern, registration.settings]));
    for (const registration of list) {
      if (registration.source !== "space") continue;
      this.#write(registration);
      if (coverageMoves(settings.get(registration.pattern), registration.settings)) moved = true;
    }
    this.#index = undefined;
    return moved;
  }

  #write({ pattern, settings, version }: StoredRegistration): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?)",
      pattern,
      JSON.stringify(settings),
      version,
    );
  }

  #patterns(): PatternIndex<StoredRegistration> {
    if (this.#index === undefined) {
      const all = [...this.stored(), ...this.#statics];
      this.#index = new PatternIndex();
      for (const registration of all) this.#index.set(registration.pattern, registration);
      this.#wantsQuorum = all.some(({ settings }) => settings.quorum !== undefined);
      this.#keepsHistory = all.some(({ settings }) => settings.history !== undefined);
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

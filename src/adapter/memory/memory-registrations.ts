import { WarpError } from "../../errors.ts";
import { checkPattern } from "../../protocol/key.ts";
import { PatternIndex } from "../../protocol/pattern-index.ts";
import {
  type RegistrationSettings,
  type StoredRegistration,
  sameSettings,
} from "../../protocol/registration.ts";
import { maxRegistrations } from "../../runtime/limits.ts";

/** The registrations of an in-process storage. */
export class MemoryRegistrations {
  readonly #stored = new Map<string, StoredRegistration>();
  readonly #index = new PatternIndex<StoredRegistration>();
  readonly #statics: ReadonlyMap<string, StoredRegistration>;

  constructor(statics: readonly StoredRegistration[] = []) {
    this.#statics = new Map(statics.map((registration) => [registration.pattern, registration]));
    for (const registration of statics) this.#index.set(registration.pattern, registration);
  }

  /** All, by pattern. */
  list(): readonly StoredRegistration[] {
    return [...this.#stored.values()].sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
  }

  /** The one that speaks for `key`. */
  match(key: string): StoredRegistration | undefined {
    return this.#index.match(key);
  }

  /** The one of this very pattern. */
  get(pattern: string): StoredRegistration | undefined {
    return this.#stored.get(pattern);
  }

  /**
   * The registration that stands already, if it is the very same; undefined where {@link put} may follow. Throws
   * `registration_conflict`, `precondition_failed` for another `ifVersion`, `batch_too_large` where the space is full.
   */
  check(
    pattern: string,
    settings: RegistrationSettings,
    ifVersion: number | undefined,
  ): StoredRegistration | undefined {
    checkPattern(pattern);
    const fixed = this.#statics.get(pattern);
    if (fixed !== undefined) {
      if (sameSettings(fixed.settings, settings)) return fixed;
      throw new WarpError(
        "registration_conflict",
        "the deployment's configuration registers this pattern differently",
      );
    }
    const present = this.#stored.get(pattern);
    if (ifVersion !== undefined && ifVersion !== present?.version) {
      throw new WarpError("precondition_failed", "the registration is at another version", {
        details: { version: present?.version ?? 0 },
      });
    }
    if (present === undefined) {
      if (this.#stored.size < maxRegistrations) return undefined;
      throw new WarpError("batch_too_large", `a space has at most ${maxRegistrations} registrations`, {
        details: { max: maxRegistrations },
      });
    }
    if (sameSettings(present.settings, settings)) return present;
    if (ifVersion !== undefined) return undefined;
    throw new WarpError(
      "registration_conflict",
      "this pattern is registered with other settings; name its version to change it",
      { details: { version: present.version } },
    );
  }

  /** Writes a registration; gives whether its pattern is new. */
  put(registration: StoredRegistration): boolean {
    const created = !this.#stored.has(registration.pattern);
    this.#stored.set(registration.pattern, registration);
    this.#index.set(registration.pattern, registration);
    return created;
  }

  /** Gives whether the pattern was there. */
  remove(pattern: string): boolean {
    this.#index.delete(pattern);
    return this.#stored.delete(pattern);
  }
}

import { type RegistrationSettings, sameSettings } from "../protocol/registration.ts";
import { conflict } from "./conflict.ts";
import type { Registry } from "./registry.ts";

/** What scopes of this node want registered, so that two that differ are told at once. */
export class WantedPolicies {
  readonly #registry: Registry;
  readonly #wanted = new Map<string, RegistrationSettings>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Throws `registration_conflict` if this node knows of other settings of this pattern. */
  add(pattern: string, settings: RegistrationSettings): void {
    const known = this.#registry.known(pattern);
    if (known !== undefined && !sameSettings(known.settings, settings)) throw conflict(known);
    const wanted = this.#wanted.get(pattern);
    if (wanted !== undefined && !sameSettings(wanted, settings)) {
      throw conflict({ pattern, settings: wanted, version: 0, source: "space" });
    }
    this.#wanted.set(pattern, settings);
  }

  delete(pattern: string): void {
    this.#wanted.delete(pattern);
  }
}

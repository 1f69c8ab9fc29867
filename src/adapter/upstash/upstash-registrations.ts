import { WarpError } from "../../errors.ts";
import { checkPattern } from "../../protocol/key.ts";
import { PatternIndex } from "../../protocol/pattern-index.ts";
import {
  type RegistrationSettings,
  type StoredRegistration,
  sameSettings,
} from "../../protocol/registration.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import { maxRegistrations } from "../../runtime/limits.ts";
import { listOf, stringOf, textOf } from "../../upstash/reply.ts";
import { registerScript, registrationsScript } from "./scripts/space.ts";
import type { UpstashSpace } from "./upstash-space.ts";

/** What a space has registered, at one version of it. */
interface Registered {
  readonly version: number;
  readonly list: readonly StoredRegistration[];
}

/** The registrations of a space in Redis. Changes are compare-and-sets on what was read. */
export class UpstashRegistrations {
  readonly #space: UpstashSpace;
  #version = 0;
  #index = new PatternIndex<StoredRegistration>();

  constructor(space: UpstashSpace) {
    this.#space = space;
  }

  /** The version of what {@link covers} goes by. */
  get version(): number {
    return this.#version;
  }

  /** Whether a key had a registration when they were last read. */
  covers(key: string): boolean {
    return this.#index.match(key) !== undefined;
  }

  async read(limits?: CallLimits): Promise<Registered> {
    const { rest, registrations: version } = await this.#space.run(registrationsScript, [], "read", limits);
    const fields = listOf(rest[0] ?? []).map((field) => textOf(stringOf(field)));
    const list: StoredRegistration[] = [];
    for (let i = 0; i < fields.length; i += 2) list.push(registration(fields[i] ?? "", fields[i + 1] ?? ""));
    list.sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
    this.#version = version;
    this.#index = new PatternIndex();
    for (const one of list) this.#index.set(one.pattern, one);
    return { version, list };
  }

  /** Throws `registration_conflict`, `precondition_failed`, `batch_too_large`. */
  async register(
    pattern: string,
    settings: RegistrationSettings,
    ifVersion: number | undefined,
    limits: CallLimits | undefined,
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    checkPattern(pattern);
    const budget = this.#space.budget(limits);
    for (;;) {
      const { list } = await this.read(budget.next());
      const present = list.find((one) => one.pattern === pattern);
      if (standing(present, settings, ifVersion, list.length)) {
        return { registration: present as StoredRegistration, created: false };
      }
      const version = await this.#put(pattern, present, JSON.stringify(settings), budget.next());
      if (version !== 0) {
        const stored = { pattern, settings, version, source: "space" } as const;
        return { registration: stored, created: present === undefined };
      }
    }
  }

  /** Gives whether there was one. */
  async unregister(pattern: string, limits: CallLimits | undefined): Promise<boolean> {
    const budget = this.#space.budget(limits);
    for (;;) {
      const { list } = await this.read(budget.next());
      const present = list.find((one) => one.pattern === pattern);
      if (present === undefined) return false;
      if ((await this.#put(pattern, present, "", budget.next())) !== 0) return true;
    }
  }

  /** Gives the new version; 0: another was quicker. */
  async #put(
    pattern: string,
    present: StoredRegistration | undefined,
    settings: string,
    limits: CallLimits | undefined,
  ): Promise<number> {
    const values = [pattern, `${present?.version ?? 0}`, settings];
    const { rest } = await this.#space.run(registerScript, values, "write", limits);
    return Number(stringOf(rest[0]));
  }
}

function registration(pattern: string, field: string): StoredRegistration {
  const at = field.indexOf(";");
  try {
    const settings = JSON.parse(field.slice(at + 1)) as RegistrationSettings;
    return { pattern, settings, version: Number(field.slice(0, at)), source: "space" };
  } catch {
    throw new WarpError("decode_failed", "a registration of the space has no form that can be read");
  }
}

/** Whether the very same stands already. Throws what stands against writing it. */
function standing(
  present: StoredRegistration | undefined,
  settings: RegistrationSettings,
  ifVersion: number | undefined,
  count: number,
): boolean {
  if (ifVersion !== undefined && ifVersion !== present?.version) {
    throw new WarpError("precondition_failed", "the registration is at another version", {
      details: { version: present?.version ?? 0 },
    });
  }
  if (present === undefined) {
    if (count < maxRegistrations) return false;
    throw new WarpError("batch_too_large", `a space has at most ${maxRegistrations} registrations`, {
      details: { max: maxRegistrations },
    });
  }
  if (sameSettings(present.settings, settings)) return true;
  if (ifVersion !== undefined) return false;
  throw new WarpError(
    "registration_conflict",
    "this pattern is registered with other settings; name its version to change it",
    { details: { version: present.version } },
  );
}

import type { Adapter, CallOptions } from "../adapter/adapter.ts";
import { checkSupported } from "../adapter/supported.ts";
import { isWarpError, WarpError } from "../errors.ts";
import { checkPattern } from "../protocol/key.ts";
import { PatternIndex } from "../protocol/pattern-index.ts";
import {
  type RegistrationSettings,
  type StoredRegistration,
  sameSettings,
} from "../protocol/registration.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import { Call, tooLong } from "./call.ts";
import { conflict } from "./conflict.ts";
import { HeldErrors, isStorageTrouble } from "./held-errors.ts";
import type { Parts } from "./parts.ts";
import { checkRange, defaultPolicy, type Policy, toPolicy } from "./policy.ts";
import { SingleFlight } from "./single-flight.ts";
import { resolveStatics } from "./static-registrations.ts";
import type { RegistrationOptions } from "./types.ts";

interface Snapshot {
  readonly space: SpaceSettings | undefined;
  readonly list: readonly StoredRegistration[];
}

/** The registrations that a node works under: static ones, then those of the space, as they were last fetched. */
export class Registry {
  readonly #parts: Parts;
  readonly #static: ReadonlyMap<string, StoredRegistration>;
  /** Kept here only where the storage keeps none. */
  readonly #own = new Map<string, StoredRegistration>();
  readonly #flight: SingleFlight<Snapshot>;
  #index = new PatternIndex<StoredRegistration>();
  #policies = new PatternIndex<Policy>();
  #list: readonly StoredRegistration[] = [];
  #space: SpaceSettings | undefined;
  /** The newest registration version that the table takes into account. */
  #seen = 0;
  /** The life of the space that this node works under; see `Adapter.life`. */
  #life: number;
  readonly #onNewLife: () => Promise<void>;
  /** Grows with each sign that the table is old; `#fetchedMark` is what it was when the table was asked for. */
  #mark = 1;
  #fetchedMark = 0;
  #revision = 0;

  constructor(
    parts: Parts,
    statics: readonly { readonly pattern: string; readonly options: RegistrationOptions }[],
    onNewLife: () => Promise<void>,
  ) {
    this.#parts = parts;
    this.#life = parts.adapter.life;
    this.#onNewLife = onNewLife;
    const fixed = resolveStatics(statics);
    for (const { settings } of fixed) checkSupported(settings, parts.adapter.supports);
    this.#static = new Map(fixed.map((registration) => [registration.pattern, registration]));
    this.#build([]);
    this.#flight = new SingleFlight({
      clock: parts.clock,
      background: parts.background,
      lostAfterMs: parts.joinTimeoutMs,
      errors: new HeldErrors(1),
      holds: isStorageTrouble,
    });
  }

  /** Changes whenever the table does, so that what was resolved from it can be kept until then. */
  get generation(): number {
    return this.#revision;
  }

  /** Whether {@link resolve} may be asked now, without {@link ready}. */
  get isReady(): boolean {
    if (!this.isOfThisLife) return false;
    if (!this.#parts.adapter.supports.registrations) return true;
    return (
      this.#fetchedMark === this.#mark &&
      this.#space !== undefined &&
      this.#parts.adapter.registrationsSeen <= this.#seen
    );
  }

  /** Whether what this node holds, L1 included, is of the space as it is last known. */
  get isOfThisLife(): boolean {
    return this.#parts.adapter.life === this.#life;
  }

  /** Undefined if the table may be used now, else what to wait for first. */
  ready(call: CallOptions | Call | undefined): Promise<void> | undefined {
    if (this.isReady) return undefined;
    return this.#refresh(call instanceof Call ? call : new Call(this.#parts, call));
  }

  /** The table is old: it is fetched again before anything else is decided by it. */
  markOld(): void {
    this.#mark++;
  }

  /** The policy of `key`. Throws `unregistered` for a key without one in a strict space. */
  resolve(key: string): Policy {
    const found = this.#policies.match(key);
    if (found !== undefined) return found;
    if (this.#space?.strict === true) {
      throw new WarpError("unregistered", "no registration covers this key, and the space is strict", {
        details: { key },
      });
    }
    return defaultPolicy;
  }

  /** The one policy of all keys that begin with `prefix`, or undefined where they may differ or have none. */
  resolvePrefix(prefix: string): Policy | undefined {
    const pattern = `${prefix}*`;
    if (this.#list.some((other) => other.pattern !== pattern && other.pattern.startsWith(prefix)))
      return undefined;
    return this.#policies.match(prefix) ?? (this.#space?.strict === true ? undefined : defaultPolicy);
  }

  /** What is known now about exactly this pattern, without asking. */
  known(pattern: string): StoredRegistration | undefined {
    return this.#index.get(pattern);
  }

  async get(pattern: string, call?: CallOptions): Promise<StoredRegistration | undefined> {
    checkPattern(pattern);
    await this.ready(call);
    return this.#index.get(pattern);
  }

  async list(call?: CallOptions): Promise<readonly StoredRegistration[]> {
    await this.ready(call);
    return this.#list;
  }

  /** Registers `pattern`: creates, confirms, or with `ifVersion` changes. Else `registration_conflict`. */
  async register(
    pattern: string,
    settings: RegistrationSettings,
    options: CallOptions & { readonly ifVersion?: number } = {},
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    checkPattern(pattern);
    if (options.ifVersion !== undefined) {
      checkRange("invalid_version", "ifVersion", options.ifVersion, 0, Number.MAX_SAFE_INTEGER);
    }
    checkSupported(settings, this.#parts.adapter.supports);
    const fixed = this.#static.get(pattern);
    if (fixed !== undefined) {
      if (options.ifVersion === undefined && sameSettings(fixed.settings, settings)) {
        return { registration: fixed, created: false };
      }
      throw conflict(fixed);
    }
    if (!this.#parts.adapter.supports.registrations)
      return this.#registerHere(pattern, settings, options.ifVersion);
    const done = await this.#parts.adapter.register(pattern, settings, options);
    this.markOld();
    return done;
  }

  /** Registers `pattern` unless the very same is known already. */
  async adopt(pattern: string, settings: RegistrationSettings, call?: CallOptions): Promise<void> {
    await this.ready(call);
    const known = this.#index.get(pattern);
    if (known === undefined) await this.register(pattern, settings, call);
    else if (!sameSettings(known.settings, settings)) throw conflict(known);
  }

  /** Removes a registration; gives whether there was one. A static one is `registration_conflict`. */
  async unregister(pattern: string, call?: CallOptions): Promise<boolean> {
    checkPattern(pattern);
    const fixed = this.#static.get(pattern);
    if (fixed !== undefined) throw conflict(fixed);
    if (this.#parts.adapter.supports.registrations) {
      const removed = await this.#parts.adapter.unregister(pattern, call);
      this.markOld();
      return removed;
    }
    const removed = this.#own.delete(pattern);
    this.#build([...this.#own.values()]);
    return removed;
  }

  #registerHere(pattern: string, settings: RegistrationSettings, ifVersion: number | undefined) {
    const known = this.#own.get(pattern);
    if (known !== undefined && ifVersion === undefined && sameSettings(known.settings, settings)) {
      return { registration: known, created: false };
    }
    if (ifVersion !== undefined && ifVersion !== (known?.version ?? 0)) {
      throw new WarpError("precondition_failed", "the registration is at another version", {
        details: { version: known?.version ?? 0 },
      });
    }
    if (known !== undefined && ifVersion === undefined) throw conflict(known);
    this.#seen++;
    const registration: StoredRegistration = { pattern, settings, version: this.#seen, source: "space" };
    this.#own.set(pattern, registration);
    this.#build([...this.#own.values()]);
    return { registration, created: known === undefined };
  }

  async #refresh(call: Call): Promise<void> {
    // Each round answers what was known when it began; a sign that comes meanwhile wants another one. A space that isn't
    // there yet is asked about again by each operation, so one round is enough for it.
    for (let round = 0; round < 3; round++) {
      if (!this.isOfThisLife) await this.#enterLife();
      if (this.isReady) return;
      const flight = this.#flight.join("", Number.NEGATIVE_INFINITY, () => this.#fetch());
      const landed = await (flight === undefined
        ? call.wait(this.#fetch())
        : call.wait(flight, this.#parts.joinTimeoutMs));
      if (landed === tooLong) await call.wait(this.#fetch());
      const { adapter } = this.#parts;
      if (!this.isOfThisLife) continue;
      if (this.#fetchedMark === this.#mark && adapter.registrationsSeen <= this.#seen) return;
    }
  }

  /** Leaves everything behind that was known of an earlier life of the space. */
  async #enterLife(): Promise<void> {
    this.#life = this.#parts.adapter.life;
    this.#seen = 0;
    this.markOld();
    await this.#onNewLife();
  }

  #fetch(): Promise<Snapshot> {
    const { adapter, moments } = this.#parts;
    const mark = this.#mark;
    const { life, registrationsSeen: seen } = adapter;
    const ask = async (): Promise<Snapshot> => {
      const [space, found] = await this.#ask();
      // A slower, older answer must not take the place of a newer one, nor one of an earlier life that of the present one.
      if (mark >= this.#fetchedMark && life === adapter.life) {
        this.#fetchedMark = mark;
        this.#seen = Math.max(seen, found.version);
        this.#space = space;
        this.#build(found.list);
      }
      return { space, list: found.list };
    };
    const begun = moments.mark();
    return this.#flight.begin("", begun, ask());
  }

  /** Space and list: at once where the space is known, else one after the other. One that isn't there has no list. */
  async #ask(): Promise<readonly [SpaceSettings | undefined, FetchedList]> {
    const { adapter } = this.#parts;
    if (this.#space !== undefined) {
      const [space, list] = await Promise.all([adapter.space(), listOf(adapter)]);
      return [space, space === undefined ? noList : list];
    }
    const space = await adapter.space();
    return [space, space === undefined ? noList : await listOf(adapter)];
  }

  #build(list: readonly StoredRegistration[]): void {
    // Static ones stand first and win.
    const own = list.filter((registration) => !this.#static.has(registration.pattern));
    this.#list = [...this.#static.values(), ...own];
    this.#index = new PatternIndex();
    this.#policies = new PatternIndex();
    for (const registration of this.#list) {
      this.#index.set(registration.pattern, registration);
      this.#policies.set(registration.pattern, toPolicy(registration.settings));
    }
    this.#revision++;
  }
}

type FetchedList = Awaited<ReturnType<Adapter["registrations"]>>;

const noList: FetchedList = { version: 0, list: [] };

/** The space's registrations; none if it was deleted a moment ago. */
async function listOf(adapter: Adapter): Promise<FetchedList> {
  try {
    return await adapter.registrations();
  } catch (error) {
    if (isWarpError(error, "space_not_found")) return noList;
    throw error;
  }
}

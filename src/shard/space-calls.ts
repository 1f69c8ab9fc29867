import { WarpError } from "../errors.ts";
import { checkPattern, checkSpace } from "../protocol/key.ts";
import {
  type CallScope,
  isRefusal,
  type Refusal,
  type RegisterReply,
  type RegisterRequest,
  type RegistrationsReply,
  type ShardApi,
  type SpaceOptionsData,
  type SpaceReply,
  type UnregisterRequest,
} from "../protocol/shard-api.ts";
import type { Admission } from "./admission.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Ledger } from "./ledger.ts";
import { deleting, notFound, refuse, refusing } from "./refusal.ts";
import type { Residence, ResidenceOptions } from "./residence.ts";
import { newSpace, spaceConflict } from "./space.ts";
import type { Strong } from "./strong/strong.ts";

/** The calls about a space as a whole: its life, and the registrations that its home shard keeps. */
export class SpaceCalls
  implements
    Pick<
      ShardApi,
      "getSpace" | "createSpace" | "deleteSpace" | "getRegistrations" | "register" | "unregister"
    >
{
  readonly #options: ResidenceOptions;
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #admission: Admission;
  readonly #strong: Pick<Strong, "alone">;

  constructor(
    options: ResidenceOptions,
    residence: Residence,
    commit: GroupCommit,
    admission: Admission,
    strong: Pick<Strong, "alone">,
  ) {
    this.#options = options;
    this.#residence = residence;
    this.#commit = commit;
    this.#admission = admission;
    this.#strong = strong;
  }

  async getSpace(_space: string): Promise<SpaceReply | Refusal> {
    const ledger = this.#residence.open();
    if (ledger === undefined) return notFound();
    if (ledger.deleting) return deleting(ledger.space);
    return { space: ledger.space, registrations: ledger.registrationVersion };
  }

  async createSpace(
    space: string,
    options: Partial<SpaceOptionsData>,
  ): Promise<(SpaceReply & { created: boolean }) | Refusal> {
    const reply = await this.#commit.submit(() =>
      refusing(() => {
        checkSpace(space);
        const present = this.#residence.open();
        if (present !== undefined) {
          if (present.deleting) return deleting(present.space);
          const conflict = spaceConflict(present.space, options);
          if (conflict !== undefined) throw conflict;
          return { space: present.space, registrations: present.registrationVersion, created: false };
        }
        const wanted = { ...this.#options.spaceDefaults, ...options };
        this.#admission.behind.check(wanted.storage);
        this.#admission.follow.check(wanted.fallback);
        const settings = newSpace(space, wanted, this.#options.random, this.#options.clock.now());
        this.#residence.found(settings);
        return { space: settings, registrations: 0, created: true };
      }),
    );
    // Nodes that can't reach it are to know of the space before anyone has asked for anything in it.
    if (!isRefusal(reply)) void this.#admission.follow.enter(reply.space, undefined);
    return reply;
  }

  async deleteSpace(
    _space: string,
    step: "begin" | "finish",
    spaceId?: string,
  ): Promise<{ readonly deleted: boolean } | Refusal> {
    // A step of an earlier deletion that comes late must not end the space's next life.
    const isOther = (ledger: Ledger | undefined): boolean =>
      ledger !== undefined && spaceId !== undefined && ledger.space.id !== spaceId;
    if (step === "begin") {
      return await this.#commit.submit(() => {
        const ledger = this.#residence.open();
        if (ledger === undefined) return notFound();
        if (!isOther(ledger) && !ledger.deleting) ledger.markDeleting();
        return { deleted: false };
      });
    }
    const present = this.#residence.open();
    if (isOther(present)) return { deleted: false };
    const uncleared = await this.#clear(present);
    if (uncleared !== undefined) return uncleared;
    return await this.#strong.alone(async () => {
      // It may have waited, and the space's next life have begun.
      const ledger = this.#residence.open();
      if (isOther(ledger)) return { deleted: false };
      await this.#residence.wipe();
      return { deleted: ledger !== undefined };
    });
  }

  /** What the space has in the storage behind it goes before the space's first shard does, the last of all: whoever repeats the deletion goes on from here. */
  async #clear(ledger: Ledger | undefined): Promise<Refusal | undefined> {
    // The others are not marked.
    if (ledger?.deleting !== true) return undefined;
    const { behind, follow } = this.#admission;
    try {
      await follow.clear(ledger.space);
      await behind.ready(ledger.space);
      await behind.present?.clear();
      return undefined;
    } catch (error) {
      return refuse(WarpError.from(error, "storage_unavailable", "the storage could not be cleared"));
    }
  }

  async getRegistrations(request: CallScope): Promise<RegistrationsReply | Refusal> {
    const admitted = await this.#admission.admit(request, "read");
    if (admitted === undefined) return notFound();
    const ledger = isRefusal(admitted) ? admitted : this.#residence.admit(request);
    if (isRefusal(ledger)) return ledger;
    return { registrations: ledger.registrationVersion, list: ledger.registrations.stored() };
  }

  async register(request: RegisterRequest): Promise<RegisterReply | Refusal> {
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const reply = await this.#commit.submit(() =>
      refusing(() => {
        const ledger = this.#residence.admit(request);
        if (isRefusal(ledger)) return ledger;
        const { pattern, settings, ifVersion } = request;
        checkPattern(pattern);
        ledger.merges.check(settings.merge);
        const existed = ledger.registrations.get(pattern) !== undefined;
        const standing = ledger.registrations.check(pattern, settings, ifVersion);
        if (standing !== undefined) {
          return { registration: standing, registrations: ledger.registrationVersion, created: false };
        }
        const version = this.#noteRegistration(ledger, pattern, existed);
        const registration = { pattern, settings, version, source: "space" as const };
        ledger.registered(ledger.registrations.put(registration));
        return { registration, registrations: version, created: !existed };
      }),
    );
    this.#admission.follow.present?.changed();
    return reply;
  }

  async unregister(
    request: UnregisterRequest,
  ): Promise<{ readonly removed: boolean; readonly registrations: number } | Refusal> {
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const reply = await this.#commit.submit(() =>
      refusing(() => {
        const ledger = this.#residence.admit(request);
        if (isRefusal(ledger)) return ledger;
        const removed = ledger.registrations.remove(request.pattern);
        if (removed) {
          this.#noteRegistration(ledger, request.pattern, true);
          ledger.registered(true);
        }
        return { removed, registrations: ledger.registrationVersion };
      }),
    );
    this.#admission.follow.present?.changed();
    return reply;
  }

  #noteRegistration(ledger: Ledger, pattern: string, existed: boolean): number {
    const atMs = this.#options.clock.now();
    const version = ledger.log.append({ kind: "register", key: pattern, version: 0, existed, atMs });
    ledger.registrationVersion = version;
    return version;
  }
}

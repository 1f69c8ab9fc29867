import { WarpError } from "../errors.ts";
import { type CallScope, isRefusal, type Refusal, type ShardApi } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { BehindSlot } from "./behind.ts";
import type { Beside } from "./beside.ts";
import type { FollowSlot } from "./follow-slot.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Ledger } from "./ledger.ts";
import { gone, refuse, stale } from "./refusal.ts";
import type { Residence } from "./residence.ts";
import type { Strong } from "./strong/strong.ts";

/** What a call is about to do. To tell a key's versions takes its present policy, as a write does; a read of its value does not. */
export type Intent = "read" | "versions" | "write";

/** The home shard (0) of a space, asked by the others for what it alone knows. */
export type Home = Pick<ShardApi, "getSpace" | "getRegistrations">;

/**
 * Lets calls in. Most pass without waiting; a shard that is not the home shard asks that one before its first answer, at its first
 * write, when the space was made anew, and when a caller knows newer registrations.
 */
export class Admission {
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #home: (space: string) => Home;
  readonly #strong: Pick<Strong, "ready" | "alone">;
  /** The storage behind the shard: loaded when a call is let in. */
  readonly behind: BehindSlot;
  /** What follows the stream of proposals: loaded when a call is let in, waited for by whom has proposed. */
  readonly follow: FollowSlot;
  /**
   * While this shard was never written to: the life of the space that the home shard vouched for, and the wipes counted then. Every
   * deletion of a space ends each of its shards, so the word stands until the next wipe.
   */
  #vouched: { readonly spaceId: string; readonly wipes: number } | undefined;

  constructor(
    residence: Residence,
    commit: GroupCommit,
    home: (space: string) => Home,
    strong: Pick<Strong, "ready" | "alone">,
    beside: Pick<Beside, "behind" | "follow">,
  ) {
    this.#residence = residence;
    this.#commit = commit;
    this.#home = home;
    this.#strong = strong;
    this.behind = beside.behind;
    this.follow = beside.follow;
  }

  /**
   * The ledger; a refusal; or undefined for a read of a shard that was never written to. `isOwn`: what follows the stream asks, for which nobody can wait until the stream is followed.
   */
  async admit(request: CallScope, intent: Intent, isOwn = false): Promise<Ledger | Refusal | undefined> {
    const undone = this.#strong.ready();
    const unfinished = undone === undefined ? undefined : await this.#finish(undone);
    if (unfinished !== undefined) return unfinished;
    if (request.shard === 0) return this.#enter(request, isOwn);
    const refused = await this.#meet(request, intent);
    if (refused !== undefined) return refused;
    const ledger = this.#residence.open();
    if (ledger === undefined && intent !== "write") return undefined;
    if (ledger !== undefined && intent !== "read" && request.registrations > ledger.registrationVersion) {
      const unfetched = await this.#fetchRegistrations(request);
      if (unfetched !== undefined) return unfetched;
    }
    return this.#enter(request, isOwn);
  }

  /** Not a moment later than it must be: most spaces have nothing to wait for. */
  #enter(request: CallScope, isOwn: boolean): Ledger | Refusal | Promise<Ledger | Refusal> {
    const ledger = this.#residence.admit(request);
    if (isRefusal(ledger)) return ledger;
    const loading = this.behind.ready(ledger.space);
    const draining = isOwn ? undefined : this.follow.enter(ledger.space, request.drain);
    return loading === undefined && draining === undefined
      ? ledger
      : this.#loaded(loading, draining, request);
  }

  async #loaded(
    loading: Promise<void> | undefined,
    draining: Promise<void> | undefined,
    request: CallScope,
  ): Promise<Ledger | Refusal> {
    try {
      await Promise.all([loading, draining]);
    } catch (error) {
      return refuse(WarpError.from(error, "unavailable", "what stands beside the shard could not be opened"));
    }
    return this.#residence.admit(request);
  }

  /** What an instance before has left undone comes first. */
  async #finish(undone: Promise<void>): Promise<Refusal | undefined> {
    try {
      await undone;
      return undefined;
    } catch (error) {
      return refuse(WarpError.from(error, "storage_unavailable", "the storage refused a write"));
    }
  }

  /** Makes sure that this shard is a part of the space that `request` speaks of, or for a read could become one; else a refusal. */
  async #meet(request: CallScope, intent: Intent): Promise<Refusal | undefined> {
    const before = this.#residence.open()?.space.id;
    if (before !== undefined && before === request.spaceId) return undefined;
    const { wipes } = this.#residence;
    if (before === undefined && intent !== "write" && this.#isVouched(request.spaceId)) return undefined;
    const home = await this.#ask(() => this.#home(request.space).getSpace(request.space));
    if (isRefusal(home)) return home.refused.code === "space_not_found" ? gone() : home;
    const { space } = home;
    if (space.id !== request.spaceId) return stale();
    // What was here when the home shard was asked is the remains of an earlier life. Only that may go: others may have met the
    // present life meanwhile, and written.
    if (before !== undefined) {
      await this.#strong.alone(async () => {
        if (this.#residence.open()?.space.id === before) await this.#residence.wipe();
      });
    }
    // What a storage behind it has may be asked for by reads too, and so may what a stream around it holds; a shard can only keep it once it is a part of
    // the space.
    if (intent === "write" || space.storage !== undefined || space.fallback !== undefined) {
      await this.#found(request, space, before === undefined ? wipes : this.#residence.wipes);
    } else if (before === undefined && this.#residence.wipes === wipes) {
      // Nothing is anywhere else: until it is written to, this shard needs nobody to know that it has nothing.
      this.#vouched = { spaceId: space.id, wipes };
    }
    return undefined;
  }

  /** Makes this shard a part of `space`, unless that may have ended meanwhile. */
  async #found({ shard }: CallScope, space: SpaceSettings, wipes: number): Promise<void> {
    await this.#commit.submit(() => {
      if (this.#residence.open() === undefined && this.#residence.wipes === wipes)
        this.#residence.found(space, shard);
    });
  }

  #isVouched(spaceId: string | undefined): boolean {
    const vouched = this.#vouched;
    return vouched !== undefined && vouched.spaceId === spaceId && vouched.wipes === this.#residence.wipes;
  }

  async #fetchRegistrations(request: CallScope): Promise<Refusal | undefined> {
    const home = await this.#ask(() => this.#home(request.space).getRegistrations({ ...request, shard: 0 }));
    if (isRefusal(home)) return home;
    await this.#commit.submit(() => {
      const ledger = this.#residence.open();
      // The list is that of the caller's life of the space.
      if (ledger === undefined || ledger.space.id !== request.spaceId) return;
      if (home.registrations <= ledger.registrationVersion) return;
      ledger.registered(ledger.registrations.replaceAll(home.list));
      ledger.registrationVersion = home.registrations;
    });
    return undefined;
  }

  /** A home shard that can't be asked is a definite refusal: nothing was done here yet. */
  async #ask<R>(call: () => Promise<R | Refusal>): Promise<R | Refusal> {
    try {
      return await call();
    } catch (cause) {
      return refuse(
        new WarpError("unavailable", "the space's first shard can't be reached", {
          cause,
          retryAfterMs: 100,
        }),
      );
    }
  }
}

import type { ChangesAnswer } from "../adapter/adapter.ts";
import { isWarpError } from "../errors.ts";
import type { Position } from "../protocol/position.ts";
import type { Change } from "../protocol/shard-api.ts";
import { HeldErrors, isStorageTrouble } from "./held-errors.ts";
import type { L1 } from "./l1.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import { SingleFlight } from "./single-flight.ts";
import { View } from "./view.ts";

/** The shard that keeps the registrations: its log alone tells when they change. */
const homeShard = 0;
/** How often a node that follows other shards looks into the home shard's log at least, in ms. */
const homeEveryMs = 1_000;
/** Asked from here a log answers with its head. */
const nowhere = { epoch: "0".repeat(16), revision: 0 } as const;

/** What an answer says of this node's own changes in one shard: the revision, 0 for none. */
export interface OwnChange {
  readonly verdict: { readonly outcome: "ok"; readonly revision: number } | { readonly outcome: "fail" };
  readonly asOf: Position;
}

/** What the follower tells the parts beside it. */
export interface FollowerHooks {
  /** These keys, or all with the prefix, changed: readers to come must not join a load from before. */
  outdated(key: string | undefined, prefix: string | undefined): void;
  /** Registrations changed, or may have. */
  registrationsOld(): void;
}

/**
 * Follows each shard's log by asking for its changes (rules SB2, SB3). A copy in L1 is as fresh as the later of two send times: of
 * the exchange that last proved the shard's position, and of its own load.
 */
export class Follower {
  readonly #parts: Parts;
  readonly #l1: L1;
  readonly #hooks: FollowerHooks;
  readonly #views = new Map<number, View>();
  readonly #flights: SingleFlight<void, number>;
  readonly #errors = new HeldErrors<number>(256);

  constructor(parts: Parts, l1: L1, hooks: FollowerHooks) {
    this.#parts = parts;
    this.#l1 = l1;
    this.#hooks = hooks;
    this.#flights = new SingleFlight({
      clock: parts.clock,
      background: parts.background,
      lostAfterMs: parts.joinTimeoutMs,
      errors: this.#errors,
      holds: isStorageTrouble,
    });
  }

  /** From when on, by the node's clock, changes may be missing from what L1 holds of `shard`; `-Infinity`: nothing is known. */
  provenAtMs(shard: number): number {
    const view = this.#views.get(shard);
    return view === undefined || !this.#parts.adapter.supports.changes
      ? Number.NEGATIVE_INFINITY
      : view.provenAtMs;
  }

  /** The epoch of `shard`, once an answer told it. */
  epoch(shard: number): string | undefined {
    return this.#views.get(shard)?.epoch;
  }

  /** How far the life `epoch` of `shard` is followed; undefined: it is not the one that is. */
  view(shard: number, epoch: string): View | undefined {
    const view = this.#views.get(shard);
    return view?.epoch === epoch ? view : undefined;
  }

  /**
   * How far the life of a shard is followed that a push is of; undefined: another life is. One that has not been heard of is followed from
   * `position` on.
   */
  meet(position: Position): View | undefined {
    const { shard, epoch } = position;
    if (this.#views.has(shard)) return this.view(shard, epoch);
    const { moments, background } = this.#parts;
    const unproven = { order: moments.latest, atMs: Number.NEGATIVE_INFINITY };
    const dropping = this.#follow(position, unproven);
    if (dropping !== undefined) background.run(dropping);
    return this.#views.get(shard);
  }

  /** Begins to follow a shard; gives what to wait for. */
  #follow(position: Position, begun: Moment): Promise<void> | undefined {
    const { moments, cache } = this.#parts;
    const { shard, revision } = position;
    this.#views.set(shard, new View(position, begun, moments.latest));
    this.#l1.base(shard, revision);
    // What a lasting cache kept from an earlier process can't be dated.
    return cache.supports.persistent ? this.#l1.drop(shard, revision) : undefined;
  }

  /** What is known of `shard` may be of another life, or have holes: nothing counts as proven until an exchange, begun now, proves it. */
  doubt(shard: number): void {
    const view = this.#views.get(shard);
    if (view === undefined) return;
    view.doubt();
    this.kick(shard);
  }

  /**
   * What log entries of the followed life mean for copies and for what is on its way. All floors are raised at once; the promise, where
   * there is one, is a cache's that has to be waited for.
   */
  outdate(shard: number, changes: readonly Change[]): Promise<unknown> | undefined {
    for (const { kind, key } of changes) {
      if (kind === "leaseEnd") continue;
      if (kind === "register") this.#hooks.registrationsOld();
      else if (kind === "invalidatePrefix") this.#hooks.outdated(undefined, key);
      // What is on its way may have the tag.
      else if (kind === "invalidateTag") this.#hooks.outdated(undefined, "");
      else this.#hooks.outdated(key, undefined);
    }
    return this.#l1.apply(shard, changes);
  }

  /** Everything held of `shard` goes, and what is on its way stays out: what happened can't be told by positions. */
  forget(shard: number): Promise<unknown> | undefined {
    this.#hooks.outdated(undefined, "");
    return this.#l1.forgetShard(shard);
  }

  /**
   * Takes note of an answer's position; `begun` is when its question was sent. Gives whether the answer is of the shard's present
   * life: only then may anything be kept from it.
   */
  async observe(position: Position, begun: Moment): Promise<boolean> {
    const { moments } = this.#parts;
    const view = this.#views.get(position.shard);
    if (view === undefined) {
      const dropping = this.#follow(position, begun);
      if (dropping !== undefined) await dropping;
      return true;
    }
    if (view.epoch === position.epoch) {
      view.seenOrder = moments.latest;
      return true;
    }
    if (begun.order > view.seenOrder) {
      await this.#restart(position, begun, "epoch");
      return true;
    }
    // Two answers of different lives that were under way together: which is older can't be told. An exchange will.
    view.doubt();
    return false;
  }

  /** The space is another one: nothing that is known of any shard's log counts, and nothing held in L1. */
  async forgetAll(): Promise<void> {
    const { emitter, counters } = this.#parts;
    const shards = [...this.#views.keys()];
    this.#views.clear();
    counters.drops += shards.length;
    this.#hooks.registrationsOld();
    this.#hooks.outdated(undefined, "");
    await this.#l1.dropAll();
    if (emitter.has("drop")) for (const shard of shards) emitter.emit("drop", { shard, reason: "epoch" });
  }

  /**
   * The answers of one call with this node's own changes, in line with which L1 is by now. Where they are all that happened since the
   * position that is applied, they need not be fetched, and where nothing else had happened when they were answered, that is proof.
   */
  applied(answers: readonly OwnChange[], begun: Moment): void {
    const revisions = new Map<View, number[]>();
    const heads = new Map<View, number>();
    for (const { verdict, asOf } of answers) {
      const view = this.#views.get(asOf.shard);
      if (view === undefined || view.epoch !== asOf.epoch) continue;
      heads.set(view, Math.max(heads.get(view) ?? 0, asOf.revision));
      const own = revisions.get(view) ?? [];
      revisions.set(view, own);
      if (verdict.outcome === "ok" && verdict.revision > view.revision) own.push(verdict.revision);
    }
    for (const [view, own] of revisions) {
      view.applied(own);
      const isWhole = view.revision >= (heads.get(view) ?? Number.POSITIVE_INFINITY);
      // Where the shard's life is in doubt, only an exchange clears it up.
      if (isWhole && view.provenAtMs !== Number.NEGATIVE_INFINITY)
        view.provenAtMs = Math.max(view.provenAtMs, begun.atMs);
    }
  }

  /** Begins an exchange in the background, unless one is under way or one failed a moment ago. */
  kick(shard: number): void {
    if (this.#errors.isHeld(shard, this.#parts.clock.now())) return;
    if (this.#flights.joinRunning(shard, Number.NEGATIVE_INFINITY) !== undefined) return;
    // The flight is held by the background already, and tells of its failure itself.
    this.#begin(shard).catch(() => undefined);
  }

  /**
   * Brings L1 up to the head of the shard's log: one exchange for all who ask, if it was sent at `notBeforeMs` or later. An older one
   * need not be waited for: applying changes twice does no harm. Throws the error of an exchange that failed a moment ago.
   */
  catchUp(shard: number, notBeforeMs: number): Promise<void> {
    this.#errors.check(shard, this.#parts.clock.now());
    return this.#flights.joinRunning(shard, notBeforeMs) ?? this.#begin(shard);
  }

  /** The shards whose logs this node has heard of. */
  get shards(): readonly number[] {
    return [...this.#views.keys()];
  }

  #begin(shard: number): Promise<void> {
    const begun = this.#parts.moments.mark();
    const work = this.#exchange(shard, begun).catch((error: unknown) => {
      // A space that has ended is news, not trouble: the next read tells its caller. A shard that is gone around is neither.
      const isAway = isWarpError(error, "unavailable") && this.#parts.adapter.detour?.isAway(shard) === true;
      if (!isAway && !isWarpError(error, "space_not_found", "space_deleting")) {
        this.#parts.counters.errors++;
        this.#parts.emitter.emit("error", { error });
      }
      throw error;
    });
    return this.#flights.begin(shard, begun, work);
  }

  async #exchange(shard: number, first: Moment): Promise<void> {
    this.#parts.counters.catchUps++;
    if (shard !== homeShard && this.provenAtMs(homeShard) < first.atMs - homeEveryMs) this.kick(homeShard);
    for (let begun = first; ; begun = this.#parts.moments.mark()) {
      const view = this.#views.get(shard);
      // Only the home shard is followed by a node that has had no answer of it.
      if (view === undefined && shard !== homeShard) return;
      const { epoch, revision } = view ?? nowhere;
      const answer = await this.#parts.adapter.changes({ shard, epoch, revision });
      // Someone else met the shard's new life meanwhile: this answer is about the old one.
      if (this.#views.get(shard) !== view) continue;
      if (view === undefined) {
        await this.observe(answer.to, begun);
        return;
      }
      if (answer.gap !== undefined || answer.to.epoch !== view.epoch) {
        await this.#restart(answer.to, begun, answer.gap ?? "epoch");
        return;
      }
      await this.#apply(shard, view, answer);
      if (!answer.complete) continue;
      view.provenAtMs = Math.max(view.provenAtMs, begun.atMs);
      return;
    }
  }

  async #apply(shard: number, view: View, { changes, to }: ChangesAnswer): Promise<void> {
    const after = view.revision;
    const outdating = this.outdate(shard, newer(changes, after));
    if (outdating !== undefined) await outdating;
    view.appliedThrough(after, to.revision);
    view.seenOrder = this.#parts.moments.latest;
  }

  async #restart(position: Position, begun: Moment, reason: "compacted" | "epoch"): Promise<void> {
    const { emitter, counters, moments } = this.#parts;
    const isSameLife = this.epoch(position.shard) === position.epoch;
    this.#views.set(position.shard, new View(position, begun, moments.latest));
    counters.drops++;
    // Whatever may have happened in between, registrations included, was missed.
    this.#hooks.registrationsOld();
    this.#hooks.outdated(undefined, "");
    await this.#l1.drop(position.shard, position.revision, isSameLife);
    if (emitter.has("drop")) emitter.emit("drop", { shard: position.shard, reason });
  }
}

/** Those of `changes` that come after `revision`, the position that is applied. */
export function newer(changes: readonly Change[], revision: number): readonly Change[] {
  const at = changes.findIndex((change) => change.revision > revision);
  return at < 0 ? [] : at === 0 ? changes : changes.slice(at);
}

import type { MutationAnswer } from "../adapter/adapter.ts";
import type { CacheEntry } from "../cache/cache.ts";
import { isWarpError, WarpError } from "../errors.ts";
import type { Position } from "../protocol/position.ts";
import type { Draft } from "./draft.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Lives } from "./lives.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import { copyOf, partsOf, withOpId } from "./written.ts";

/** What alignment asks of the parts beside it. */
export interface AlignmentHooks {
  /** Readers to come must not join loads of these keys from before. */
  outdated(key: string | undefined, prefix: string | undefined): void;
  /** A value was written that readers may find in a second tier. */
  kept(key: string, settings: Policy, copy: CacheEntry): void;
  /** What a second tier holds of a key is old now. */
  dropped(key: string, settings: Policy | undefined): void;
  /** A mutation was carried out, or may have been: other nodes are to be told. */
  changed(draft: Draft): void;
}

/** Brings this node's L1 in line with what its own mutations came to, so that it reads its own writes (rule CO4). */
export class Alignment {
  readonly #parts: Parts;
  readonly #l1: L1;
  readonly #follower: Follower;
  readonly #lives: Lives;
  readonly #hooks: AlignmentHooks;

  constructor(parts: Parts, l1: L1, follower: Follower, lives: Lives, hooks: AlignmentHooks) {
    this.#parts = parts;
    this.#l1 = l1;
    this.#follower = follower;
    this.#lives = lives;
    this.#hooks = hooks;
  }

  /** What is held when it is sent stays wanted, though the log may drop it before the answer comes. */
  sent(draft: Draft): Draft {
    const { mutation, fill } = draft;
    return !fill && "key" in mutation && this.#l1.inspect(mutation.key) !== undefined
      ? { ...draft, fill: true }
      : draft;
  }

  /** With the answer about a mutation; gives the copy of what was written, where it is known. */
  async answered(draft: Draft, answer: MutationAnswer, begun: Moment): Promise<CacheEntry | undefined> {
    const copy = await this.#aligned(draft, answer, begun);
    if (answer.verdict.outcome === "ok") this.#hooks.changed(draft);
    return copy;
  }

  async #aligned(draft: Draft, answer: MutationAnswer, begun: Moment): Promise<CacheEntry | undefined> {
    const { mutation } = draft;
    if (mutation.kind === "invalidatePrefix")
      return await this.#alignPrefix(mutation.prefix, partsOf(answer), begun);
    if (mutation.kind === "invalidateTag") return await this.#alignTag(mutation.tag, partsOf(answer), begun);
    return await this.#align(draft, answer, begun, await this.#follower.observe(answer.asOf, begun));
  }

  /** With an answer that was judged by these keys' state: what is held from before it must not be read again. */
  async judged(keys: Iterable<string>, asOf: Position, begun: Moment): Promise<void> {
    const current = await this.#follower.observe(asOf, begun);
    for (const key of keys) {
      if (this.#parts.adapter.shardOf(key) !== asOf.shard) continue;
      this.#hooks.outdated(key, undefined);
      await this.#judged(key, asOf.revision, current);
    }
  }

  /** With what a transaction read: its caller must not be given an older value than that afterwards. */
  async read(key: string, version: number, asOf: Position, begun: Moment): Promise<void> {
    this.#hooks.outdated(key, undefined);
    const current = await this.#follower.observe(asOf, begun);
    await this.#judged(key, version === 0 ? asOf.revision : version, current);
  }

  async #judged(key: string, revision: number, current: boolean): Promise<void> {
    if (current) await this.#l1.outdate(key, revision);
    else await this.#l1.forget(key);
  }

  /**
   * With what the way around a shard said, which has no position: the copy that is held is not the newest any more, and nothing is to be put into its place. Other nodes hear of it from the
   * shard. Gives the error of a refusal.
   */
  async detoured(draft: Draft, { verdict }: MutationAnswer): Promise<unknown> {
    if (verdict.outcome === "fail") return await this.lost(draft, WarpError.fromData(verdict.error));
    this.#parts.counters.provisional++;
    const { mutation, settings } = draft;
    if (!("key" in mutation)) return undefined;
    const { key } = mutation;
    const held = this.#l1.inspect(key);
    if (held !== undefined) this.#parts.adapter.detour?.recall(key, held);
    this.#hooks.outdated(key, undefined);
    await this.#l1.forget(key);
    this.#hooks.dropped(key, settings);
    return undefined;
  }

  /** A call that failed: where something may have been done after all, what L1 holds can't be trusted. */
  async lost(draft: Draft, error: unknown): Promise<unknown> {
    if (isWarpError(error) && error.outcome === "fail") return error;
    const { mutation, opId, settings } = draft;
    if (mutation.kind === "invalidatePrefix") {
      this.#hooks.outdated(undefined, mutation.prefix);
      await this.#l1.forgetPrefix(mutation.prefix);
    } else if (mutation.kind === "invalidateTag") {
      this.#hooks.outdated(undefined, "");
      await this.#l1.forgetTags([mutation.tag]);
    } else {
      this.#hooks.outdated(mutation.key, undefined);
      await this.#l1.forget(mutation.key);
      this.#hooks.dropped(mutation.key, settings);
    }
    this.#hooks.changed(draft);
    return withOpId(error, opId);
  }

  /** Brings L1 in line with the answers of all shards about a prefix. */
  async #alignPrefix(
    prefix: string,
    parts: readonly Pick<MutationAnswer, "verdict" | "asOf">[],
    begun: Moment,
  ): Promise<undefined> {
    this.#hooks.outdated(undefined, prefix);
    for (const { verdict, asOf } of parts) {
      const current = await this.#follower.observe(asOf, begun);
      if (current && verdict.outcome === "ok")
        await this.#l1.outdatePrefix(prefix, asOf.shard, verdict.revision);
    }
    // Copies of shards that this node knows by another life go as well.
    await this.#l1.forgetPrefix(prefix);
  }

  /** Brings L1 in line with an answer about a key; gives the copy of what was written. */
  async #align(
    draft: Draft,
    answer: MutationAnswer,
    begun: Moment,
    current: boolean,
  ): Promise<CacheEntry | undefined> {
    const { adapter, clock } = this.#parts;
    const { mutation, settings, fill } = draft;
    if (mutation.kind === "invalidatePrefix" || mutation.kind === "invalidateTag") return undefined;
    const { verdict, asOf } = answer;
    const { key } = mutation;
    this.#hooks.outdated(key, undefined);
    if (verdict.outcome === "fail") {
      await this.#judged(key, asOf.revision, current);
      return undefined;
    }
    const copy = copyOf(draft, answer, begun, this.#lives, clock.now());
    if (copy === undefined || !current) this.#hooks.dropped(key, settings);
    if (!current) {
      await this.#l1.forget(key);
      return copy;
    }
    const held = this.#l1.inspect(key) !== undefined;
    await this.#l1.outdate(key, verdict.revision > 0 ? verdict.revision : asOf.revision);
    // Positions tell nothing where nothing is stored.
    if (!adapter.supports.storage && mutation.kind !== "set") await this.#l1.forget(key);
    // Without a storage behind it L1 is the only place where the value is.
    const wanted = fill || held || !adapter.supports.storage;
    const served = settings?.mode !== "strong" || !adapter.supports.storage;
    if (copy === undefined || !wanted) return copy;
    // An import is kept out of both tiers: the age rule takes care of what the second one holds.
    if (settings !== undefined) this.#hooks.kept(key, settings, copy);
    if (served) await this.#l1.admit(key, asOf.shard, copy, begun);
    return copy;
  }

  /** A tag was invalidated in all shards: each answer raises the tag's floor in its own. */
  async #alignTag(
    tag: string,
    parts: readonly Pick<MutationAnswer, "verdict" | "asOf">[],
    begun: Moment,
  ): Promise<undefined> {
    this.#hooks.outdated(undefined, "");
    let certain = this.#parts.adapter.supports.storage;
    for (const one of parts) {
      if ((await this.#follower.observe(one.asOf, begun)) && one.verdict.outcome === "ok") {
        this.#l1.outdateTag(tag, one.asOf.shard, one.verdict.revision);
      } else certain = false;
    }
    // Positions tell nothing where nothing is stored, or where a shard's answer is of another life.
    if (!certain) await this.#l1.forgetTags([tag]);
  }
}

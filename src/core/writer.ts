import type { CallOptions, MutationAnswer, Precondition } from "../adapter/adapter.ts";
import type { CacheEntry } from "../cache/cache.ts";
import { isWarpError, WarpError } from "../errors.ts";
import { formatCursor, formatETag } from "../protocol/position.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { Call, callOptions } from "./call.ts";
import {
  checkCondition,
  type Draft,
  OpIds,
  placesByShard,
  toMutation,
  versionCondition,
  type Wish,
} from "./draft.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Lives } from "./lives.ts";
import type { Settled } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import type { Registry } from "./registry.ts";
import { tooMany } from "./too-many.ts";
import type { MutationOptions, MutationResult } from "./types.ts";
import { copyOf, partsOf, targetOf, tell, unanswered, type Written, withOpId } from "./written.ts";

/** What the writer asks of the parts beside it. */
export interface WriterHooks {
  /** Readers to come must not join loads of these keys from before. */
  outdated(key: string | undefined, prefix: string | undefined): void;
  /** A value was written that readers may find in a second tier. */
  kept(key: string, settings: Policy, copy: CacheEntry): void;
  /** What a second tier holds of a key is old now. */
  dropped(key: string, settings: Policy | undefined): void;
}

/** Writes through to the storage, then brings this node's L1 in line, so that it reads its own writes (rule CO4). */
export class Writer {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #l1: L1;
  readonly #follower: Follower;
  readonly #lives: Lives;
  readonly #loader: Loader;
  readonly #hooks: WriterHooks;

  constructor(
    parts: Parts,
    registry: Registry,
    l1: L1,
    follower: Follower,
    loader: Loader,
    lives: Lives,
    hooks: WriterHooks,
  ) {
    this.#lives = lives;
    this.#parts = parts;
    this.#registry = registry;
    this.#l1 = l1;
    this.#follower = follower;
    this.#loader = loader;
    this.#hooks = hooks;
  }

  /** One mutation. Throws its refusal. */
  async one(
    wish: Wish,
    options: (MutationOptions & { readonly ifVersion?: number }) | undefined,
  ): Promise<Written> {
    this.#parts.lifetime.check();
    checkCallLimits(options);
    checkCondition(options);
    const opIds = new OpIds(this.#parts, options);
    const scoped = opIds.single();
    const checked = toMutation(wish, scoped);
    const waiting = this.#registry.ready(options);
    if (waiting !== undefined) await waiting;
    const settings = this.#policyOf(wish);
    const when = await this.#condition(wish, settings, options);
    const mutation = when === undefined ? checked : toMutation({ ...wish, when } as Wish, scoped);
    const [settled] = await this.send([{ mutation, opId: opIds.callOpId, settings, fill: true }], options);
    if (settled === undefined || !("value" in settled)) throw (settled ?? unanswered()).error;
    return settled.value;
  }

  /** Several mutations, each with its own verdict. Throws only what concerns the caller. */
  async each(
    wishes: readonly (Wish & { readonly opId?: string | undefined })[],
    options: (MutationOptions & { readonly fill?: boolean }) | undefined,
    opIds = new OpIds(this.#parts, options),
    indexOf: (at: number) => number = (at) => at,
  ): Promise<readonly Settled<Written>[]> {
    this.#parts.lifetime.check();
    checkCallLimits(options);
    if (wishes.length > maxBatchOperations) throw tooMany(wishes.length);
    const waiting = this.#registry.ready(options);
    if (waiting !== undefined) await waiting;
    const settled: (Settled<Written> | undefined)[] = wishes.map(() => undefined);
    const drafts: Draft[] = [];
    const places: number[] = [];
    for (const [at, wish] of wishes.entries()) {
      try {
        drafts.push({
          mutation: toMutation(wish, opIds.at(indexOf(at), wish.opId)),
          opId: wish.opId ?? opIds.callOpId,
          settings: this.#policyOf(wish),
          fill: options?.fill ?? false,
        });
        places.push(at);
      } catch (error) {
        settled[at] = { error };
      }
    }
    const answers = await this.send(drafts, options);
    for (const [i, at] of places.entries()) settled[at] = answers[i];
    return settled.map((one) => one ?? unanswered());
  }

  /** Sends drafts, one call for each shard, so that one that fails fails its own only. */
  async send(
    drafts: readonly Draft[],
    options: CallOptions | undefined,
  ): Promise<readonly Settled<Written>[]> {
    const groups = placesByShard(drafts, this.#parts.adapter);
    if (groups.length <= 1) return await this.#call(drafts, options);
    const settled: Settled<Written>[] = [];
    const calls = groups.map(async (places) => {
      const answers = await this.#call(
        places.flatMap((at) => drafts[at] ?? []),
        options,
      );
      for (const [i, at] of places.entries()) settled[at] = answers[i] ?? unanswered();
    });
    await Promise.all(calls);
    return settled;
  }

  /** Sends drafts in one call and takes in the answers. What the call throws is the error of each of them. */
  async #call(
    drafts: readonly Draft[],
    options: CallOptions | undefined,
  ): Promise<readonly Settled<Written>[]> {
    if (drafts.length === 0) return [];
    const begun = this.#parts.moments.mark();
    let answers: readonly MutationAnswer[];
    try {
      answers = await this.#parts.adapter.batch(
        drafts.map(({ mutation }) => mutation),
        callOptions(options),
      );
    } catch (error) {
      return await Promise.all(drafts.map(async (draft) => ({ error: await this.#lost(draft, error) })));
    }
    const settled = await Promise.all(drafts.map((draft, i) => this.#take(draft, answers[i], begun)));
    this.#follower.applied(answers, begun);
    return settled;
  }

  /** A call that failed: where something may have been done after all, what L1 holds can't be trusted. */
  async #lost({ mutation, opId, settings }: Draft, error: unknown): Promise<unknown> {
    if (isWarpError(error) && error.outcome === "fail") return error;
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
    return withOpId(error, opId);
  }

  async #take(draft: Draft, answer: MutationAnswer | undefined, begun: Moment): Promise<Settled<Written>> {
    if (answer === undefined) return unanswered();
    const { verdict, asOf } = answer;
    const { mutation, opId } = draft;
    const parts = partsOf(answer);
    const copy =
      mutation.kind === "invalidatePrefix"
        ? await this.#alignPrefix(mutation.prefix, parts, begun)
        : mutation.kind === "invalidateTag"
          ? await this.#alignTag(mutation.tag, parts, begun)
          : await this.#align(draft, answer, begun, await this.#follower.observe(asOf, begun));
    if (verdict.outcome === "fail") return { error: WarpError.fromData(verdict.error) };
    const key = targetOf(mutation);
    const result: MutationResult = {
      key,
      opId,
      version: verdict.version,
      etag: verdict.version === 0 ? undefined : formatETag(asOf.epoch, verdict.version),
      cursor: formatCursor(asOf),
      existed: verdict.existed,
      replayed: verdict.replayed === true,
    };
    tell(this.#parts.emitter, draft, result);
    return { value: { result, copy, position: asOf, positions: parts.map((part) => part.asOf) } };
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
      // It was judged on a state that this node may not have seen: what it holds from before must not be read again.
      if (current) await this.#l1.outdate(key, asOf.revision);
      else await this.#l1.forget(key);
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

  #policyOf(wish: Wish): Policy | undefined {
    return "key" in wish ? this.#registry.resolve(wish.key) : undefined;
  }

  /** The precondition that `ifVersion` means. The shard's epoch is part of it, so that the shard may have to be asked first. */
  async #condition(
    wish: Wish,
    settings: Policy | undefined,
    options: (CallOptions & { readonly ifVersion?: number }) | undefined,
  ): Promise<Precondition | undefined> {
    const ifVersion = options?.ifVersion;
    if (ifVersion === undefined || !("key" in wish) || settings === undefined) return undefined;
    if (ifVersion === 0) return versionCondition(0, "");
    const shard = this.#parts.adapter.shardOf(wish.key);
    if (this.#follower.epoch(shard) === undefined) {
      const [answer] = await this.#loader.load([{ key: wish.key, settings }], new Call(this.#parts, options));
      if (answer !== undefined && !("value" in answer)) throw answer.error;
    }
    const epoch = this.#follower.epoch(shard);
    if (epoch === undefined) throw new WarpError("internal", "the shard's epoch is not known");
    return versionCondition(ifVersion, epoch);
  }
}

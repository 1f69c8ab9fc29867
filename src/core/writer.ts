import type { CallOptions, MutationAnswer } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { formatCursor, formatETag } from "../protocol/position.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import type { Alignment } from "./alignment.ts";
import { callOptions } from "./call.ts";
import type { Conditions } from "./conditions.ts";
import { checkCondition, type Draft, OpIds, placesByShard, toMutation, type Wish } from "./draft.ts";
import type { Follower } from "./follower.ts";
import type { Settled } from "./loaded.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import type { Registry } from "./registry.ts";
import { tooMany } from "./too-many.ts";
import type { MutationOptions, MutationResult } from "./types.ts";
import { isOfShard, partsOf, targetOf, tell, unanswered, type Written } from "./written.ts";

/** Writes through to the storage, then brings this node's L1 in line, so that it reads its own writes (rule CO4). */
export class Writer {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #follower: Follower;
  readonly #conditions: Conditions;
  readonly #alignment: Alignment;

  constructor(
    parts: Parts,
    registry: Registry,
    follower: Follower,
    conditions: Conditions,
    alignment: Alignment,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#follower = follower;
    this.#conditions = conditions;
    this.#alignment = alignment;
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
    const ifVersion = options?.ifVersion;
    const when =
      ifVersion === undefined || !("key" in wish) || settings === undefined
        ? undefined
        : await this.#conditions.of(wish.key, ifVersion, settings, options);
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
    const sent = drafts.map((draft) => this.#alignment.sent(draft));
    let answers: readonly MutationAnswer[];
    try {
      answers = await this.#parts.adapter.batch(
        drafts.map(({ mutation }) => mutation),
        callOptions(options),
      );
    } catch (error) {
      return await Promise.all(
        drafts.map(async (draft) => ({ error: await this.#alignment.lost(draft, error) })),
      );
    }
    const settled = await Promise.all(sent.map((draft, i) => this.#take(draft, answers[i], begun)));
    this.#follower.applied(answers.filter(isOfShard).flatMap(partsOf), begun);
    return settled;
  }

  async #take(draft: Draft, answer: MutationAnswer | undefined, begun: Moment): Promise<Settled<Written>> {
    if (answer === undefined) return unanswered();
    const { verdict, asOf } = answer;
    const { mutation, opId } = draft;
    const parts = partsOf(answer);
    const { provisional } = answer;
    const refused = provisional && (await this.#alignment.detoured(draft, answer));
    const copy = provisional ? undefined : await this.#alignment.answered(draft, answer, begun);
    if (verdict.outcome === "fail") return { error: refused ?? WarpError.fromData(verdict.error) };
    const key = targetOf(mutation);
    const result: MutationResult = {
      key,
      opId,
      version: verdict.version,
      etag: verdict.version === 0 ? undefined : formatETag(asOf.epoch, verdict.version),
      cursor: provisional ? "" : formatCursor(asOf),
      existed: verdict.existed,
      replayed: verdict.replayed === true,
      ...(verdict.storage && { storage: verdict.storage }),
      ...(provisional && { provisional }),
    };
    tell(this.#parts.emitter, draft, result);
    return { value: { result, copy, position: asOf, positions: parts.map((part) => part.asOf) } };
  }

  #policyOf(wish: Wish): Policy | undefined {
    return "key" in wish ? this.#registry.resolve(wish.key) : undefined;
  }
}

import { isWarpError, type WarpError } from "../../errors.ts";
import type { Fallback } from "../../fallback/fallback.ts";
import type { AroundCalls } from "../../protocol/around-calls.ts";
import type { Resolution } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type { Trial } from "../../runtime/circuit-breaker.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import type {
  Adapter,
  CallOptions,
  Detour,
  Mutation,
  MutationAnswer,
  ReadAnswer,
  ReadOptions,
} from "../adapter.ts";
import { AwayShard, type StreamReading } from "./away-shard.ts";
import { byShard } from "./by-shard.ts";
import type { FailoverOptions } from "./failover-options.ts";
import { type Change, OverlayRoom } from "./overlay.ts";
import { isProposable, nowhere, propose } from "./proposing.ts";
import { type Asked, resolveAround } from "./resolving.ts";
import { homeShard, SpaceView } from "./space-view.ts";
import { type Tried, tryShard } from "./try-shard.ts";

type ResolveOptions = CallOptions & { readonly seal?: boolean };

/** A call that a caller waits for. */
export interface Begun {
  /** By elapsed time. */
  readonly atMs: number;
  /** What its try at the shard came to, where there was one before there was a way. */
  readonly failed?: WarpError;
}

/**
 * The way around the shards of one space (rule SB8), taken for each shard while it can't be reached: unconditional eventual changes go to its stream, and reads are answered by what waits
 * there. It decides nothing where the space has not opted in.
 */
export class Way implements AroundCalls, Detour {
  readonly view: SpaceView;
  readonly #inner: Adapter;
  readonly #options: FailoverOptions;
  readonly #shards = new Map<number, AwayShard>();
  readonly #room = new OverlayRoom();
  readonly #reading: (spaceId: string) => StreamReading;

  constructor(inner: Adapter, options: FailoverOptions, met: SpaceSettings | undefined) {
    this.#inner = inner;
    this.#options = options;
    this.view = new SpaceView(options);
    if (met !== undefined) this.view.meet(met);
    const isOperand = (change: Change): boolean => this.view.isOperand(change);
    this.#reading = (spaceId) => ({ spaceId, isOperand });
  }

  met(space: SpaceSettings | undefined): void {
    if (this.view.meet(space)) for (const away of this.#shards.values()) away.forget();
  }

  async call<R>(
    shard: number,
    send: () => Promise<R>,
    isUnreachedBy: (error: unknown) => boolean,
  ): Promise<R> {
    let trial: Trial | undefined;
    try {
      trial = this.#at(shard).enter();
    } catch (refusal) {
      // A space that has not opted in loses nothing by trying.
      if (this.view.fallbackName !== undefined) throw refusal;
    }
    try {
      const reply = await send();
      trial?.succeeded();
      return reply;
    } catch (error) {
      if (isUnreachedBy(error)) trial?.failed();
      else trial?.void();
      throw error;
    }
  }

  /** A call of the shard has no answer, and should have one. */
  late(shard: number): void {
    this.#at(shard).failed();
  }

  drain(shard: number): string | undefined {
    return this.#shards.get(shard)?.drain;
  }

  drained(shard: number, place: string): void {
    this.#at(shard).drained(place);
  }

  isTaken(key: string): boolean {
    if (this.view.fallbackName === undefined) return false;
    const shard = this.shardOf(key);
    return this.isAway(shard) || this.#shards.get(shard)?.isTaken === true;
  }

  isAway(shard: number): boolean {
    return this.view.fallbackName !== undefined && this.#isClosedTo(shard);
  }

  barrierAtMs(key: string): number {
    return this.#shards.get(this.shardOf(key))?.barrierAtMs ?? Number.NEGATIVE_INFINITY;
  }

  recall(key: string, held: Parameters<Detour["recall"]>[1]): void {
    const { payload, version, modifiedAtMs, tags } = held;
    const value = { payload, version, modifiedAtMs, endsAtMs: Number.POSITIVE_INFINITY };
    this.#at(this.shardOf(key)).overlay.recall(key, { ...value, ...(tags !== undefined && { tags }) });
  }

  shardOf(key: string): number {
    return this.view.shardOf(key, this.#inner);
  }

  async batch(
    mutations: readonly Mutation[],
    options: CallOptions | undefined,
    begun: Begun,
  ): Promise<readonly MutationAnswer[]> {
    const { failed } = begun;
    // What is about many keys concerns all shards, and may not be proposed.
    if (mutations.some((mutation) => !("key" in mutation))) {
      if (failed !== undefined) throw failed;
      return await this.#inner.batch(mutations, options);
    }
    const shardOf = (mutation: Mutation): number => ("key" in mutation ? this.shardOf(mutation.key) : 0);
    if (failed !== undefined) await this.#open();
    return await byShard(mutations, shardOf, (shard, part) => this.#batchOf(shard, part, options, begun));
  }

  async getMany(
    keys: readonly string[],
    options: ReadOptions | undefined,
    { failed }: Begun,
  ): Promise<readonly ReadAnswer[]> {
    if (failed !== undefined) await this.#open();
    if (options?.strong !== undefined) {
      if (failed !== undefined) throw failed;
      return await this.#inner.getMany(keys, options);
    }
    const shardOf = (key: string): number => this.shardOf(key);
    return await byShard(keys, shardOf, (shard, part) => this.#readOf(shard, part, options, failed));
  }

  /** What shards say of operations; what they have not seen may still wait in a stream. */
  async resolve(
    operations: Asked,
    options: ResolveOptions | undefined,
    { failed }: Begun,
  ): Promise<readonly Resolution[]> {
    const fallback = await this.#open();
    const [key = ""] = operations.flatMap((one) => (one.key === undefined ? [] : [one.key]));
    const send = () => this.#inner.resolve(operations, options);
    if (fallback === undefined) {
      if (failed !== undefined) throw failed;
      return await send();
    }
    let tried = failed;
    return await resolveAround(operations, options?.seal === true, {
      ask: async () => {
        const before = tried;
        tried = undefined;
        return before === undefined ? await this.#try(this.shardOf(key), true, send) : { error: before };
      },
      shardOf: (of) => this.shardOf(of),
      look: (shard) => this.#look(shard, fallback),
      awaits: (shard, opId) => this.#at(shard).awaits(opId),
    });
  }

  /** The space as its shards say, or as it is known otherwise. */
  async space(failed: WarpError): Promise<SpaceSettings | undefined> {
    await this.#open();
    if (this.view.fallbackName === undefined) throw failed;
    return this.view.space;
  }

  async registrations(failed: WarpError): Promise<NonNullable<SpaceView["registrations"]>> {
    await this.#open();
    const { registrations, fallbackName } = this.view;
    if (fallbackName === undefined || registrations === undefined) throw failed;
    return registrations;
  }

  /** Whether a shard counts as not to be reached; where no shard has told what the space is, that is the home shard's to say. */
  #isClosedTo(shard: number): boolean {
    const isOpen = (one: number): boolean => (this.#shards.get(one)?.state ?? "closed") === "closed";
    return !isOpen(shard) || (!this.view.hasMet && !isOpen(homeShard));
  }

  #at(shard: number): AwayShard {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const made = new AwayShard(shard, this.#options, this.#room);
    this.#shards.set(shard, made);
    return made;
  }

  /** The streams, where the space has opted in. Undefined also where no fallback can be asked whether it has. */
  async #open(): Promise<Fallback | undefined> {
    try {
      return await this.view.open();
    } catch (error) {
      // The shard's own failure is what callers are told.
      if (isWarpError(error)) return undefined;
      throw error;
    }
  }

  async #batchOf(
    shard: number,
    mutations: readonly Mutation[],
    options: CallOptions | undefined,
    { failed, atMs: begunMs }: Begun,
  ): Promise<readonly MutationAnswer[]> {
    const isSome = mutations.some((mutation) => isProposable(mutation, this.view));
    const tried: Tried<readonly MutationAnswer[]> =
      failed === undefined
        ? await this.#try(shard, isSome, () => this.#inner.batch(mutations, options))
        : { error: failed };
    if (tried.error === undefined) return tried.value;
    const away = this.#at(shard);
    if (!this.#isClosedTo(shard)) throw tried.error;
    const fallback = await this.#open();
    const { view } = this;
    if (fallback === undefined || view.registrations === undefined) throw tried.error;
    const { node, clock, elapsed = clock } = this.#options;
    // The try has taken its part of the caller's time.
    const timeoutMs = (options?.timeoutMs ?? defaultTimeoutMs) - (elapsed.now() - begunMs);
    if (timeoutMs < 1) throw tried.error;
    const from = { node, atMs: clock.now() };
    return await propose({ shard, away, fallback, view }, from, mutations, tried, { ...options, timeoutMs });
  }

  async #readOf(
    shard: number,
    keys: readonly string[],
    options: ReadOptions | undefined,
    failed: WarpError | undefined,
  ): Promise<readonly ReadAnswer[]> {
    const away = this.#at(shard);
    const { overlay } = away;
    const tried: Tried<readonly ReadAnswer[]> =
      failed === undefined
        ? await this.#try(shard, true, () => this.#inner.getMany(keys, options)).catch((error: unknown) => {
            // It is there, but can't read its stream: what waits there is known here.
            if (away.isTaken && isWarpError(error, "storage_unavailable", "storage_timeout"))
              return { error };
            throw error;
          })
        : { error: failed };
    if (tried.error === undefined) {
      // A change that went to the stream since it was asked.
      return tried.value.map((answer) =>
        overlay.has(answer.key) ? this.#known(shard, answer.key, answer) : answer,
      );
    }
    if (!away.isTaken && !this.#isClosedTo(shard)) throw tried.error;
    const fallback = await this.#open();
    const { space } = this.view;
    if (fallback === undefined || space === undefined) throw tried.error;
    await away.follow(fallback, this.#reading(space.id));
    const { error } = tried;
    const answers = keys.map((key) =>
      this.#known(shard, key, { key, entry: undefined, asOf: nowhere(shard), error }),
    );
    if (answers.every((answer) => answer.error !== undefined)) throw error;
    return answers;
  }

  /** What is known of a key by the stream, else `other`. */
  #known(shard: number, key: string, other: ReadAnswer): ReadAnswer {
    const found = this.#at(shard).overlay.of(key);
    if (found === undefined) return other;
    const asOf = nowhere(shard);
    if (found.value === null) return { key, entry: undefined, asOf, provisional: true };
    const { endsAtMs, ...value } = found.value;
    const isLasting = endsAtMs === Number.POSITIVE_INFINITY;
    const life = isLasting ? {} : { expiresInMs: Math.max(0, endsAtMs - this.#options.clock.now()) };
    return { key, entry: { key, ...value, ...life }, asOf, provisional: true };
  }

  /** Asks a shard: where it may be gone around, no longer than it should take. */
  async #try<T>(shard: number, isImpatient: boolean, send: () => Promise<T>): Promise<Tried<T>> {
    const mayTurn = isImpatient && this.view.fallbackName !== undefined;
    const options = { ...this.#options, patienceMs: this.view.patienceMs };
    return await tryShard(this.#at(shard), mayTurn, options, send);
  }

  async #look(shard: number, fallback: Fallback): Promise<void> {
    const { space } = this.view;
    if (space !== undefined) await this.#at(shard).look(fallback, this.#reading(space.id), false);
  }
}

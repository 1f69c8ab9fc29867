import { isWarpError, WarpError } from "../errors.ts";
import type { Pushes } from "../protocol/pushes.ts";
import {
  type CallScope,
  isRefusal,
  type Refusal,
  type ShardApi,
  type SpaceReply,
} from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Timers } from "../runtime/clock.ts";
import { Attempt, withOutcome } from "./attempt.ts";
import type { ShardConnection } from "./shard-connection.ts";
import type { Watching } from "./watching.ts";

/** Whether a call only looks or may change something: only a change makes a space, and only a look is repeated. */
export type Intent = "read" | "mutation";

/** A shard's refusal because the node's picture of the space is old: the call is repeated once with a new one. */
class StaleSpace extends Error {
  readonly refused: WarpError;

  constructor(refused: WarpError) {
    super(refused.message);
    this.refused = refused;
  }
}

/** What goes out to a shard: one request under a scope. */
export type Send<R> = (shard: ShardApi, scope: CallScope) => Promise<R | Refusal>;

/**
 * What a node knows of one space: its settings, fetched from its home shard when they are first needed and again when a shard says
 * that they are old, and the newest registration version that any answer mentioned.
 */
export class SpaceSession {
  readonly #connection: ShardConnection;
  readonly #timers: Timers;
  #settings: SpaceSettings | undefined;
  /** The life of the space that {@link registrationsSeen} counts in. */
  #spaceId: string | undefined;
  #lives = 0;
  #registrationsSeen = 0;
  #closed = false;

  constructor(connection: ShardConnection, timers: Timers) {
    this.#connection = connection;
    this.#timers = timers;
  }

  /** The settings as last seen; undefined: none seen yet. */
  get settings(): SpaceSettings | undefined {
    return this.#settings;
  }

  get registrationsSeen(): number {
    return this.#registrationsSeen;
  }

  /** Grows when the space is found gone, or to be another one than before. */
  get life(): number {
    return this.#lives;
  }

  /** Notes what an answer about the space `spaceId` says about registrations. A late one of an earlier life says nothing. */
  see(registrations: number, spaceId: string): void {
    if (spaceId === this.#spaceId && registrations > this.#registrationsSeen)
      this.#registrationsSeen = registrations;
  }

  /**
   * Runs `work` under the space's settings, a second time if a shard found them old. Throws `space_not_found` where a read meets no
   * space; a mutation creates it.
   */
  async run<T>(
    intent: Intent,
    limits: CallLimits | undefined,
    work: (space: SpaceSettings, attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    this.#checkOpen();
    return await Attempt.run(this.#timers, limits, async (attempt) => {
      try {
        return await work(this.#settings ?? (await this.#meet(intent, attempt)), attempt);
      } catch (error) {
        if (!(error instanceof StaleSpace)) throw error;
      }
      this.#settings = undefined;
      try {
        return await work(await this.#meet(intent, attempt), attempt);
      } catch (error) {
        throw error instanceof StaleSpace ? error.refused : error;
      }
    });
  }

  /** The space as its home shard has it now; undefined: it does not exist. */
  async fetch(limits: CallLimits | undefined): Promise<SpaceSettings | undefined> {
    this.#checkOpen();
    return await Attempt.run(this.#timers, limits, (attempt) => this.#fetch(attempt));
  }

  /** Sends one request to a shard of `space` and gives its answer; a refusal is thrown, a failed read repeated once. */
  async send<R extends object>(
    attempt: Attempt,
    intent: Intent,
    space: SpaceSettings,
    shard: number,
    send: Send<R>,
  ): Promise<R> {
    const { around } = this.#connection;
    let drain: string | undefined;
    const reply = await this.#deliver(attempt, intent, shard, (api) => {
      drain = around?.drain(shard);
      return send(api, {
        space: space.name,
        shard,
        spaceId: space.id,
        registrations: this.#registrationsSeen,
        ...(this.#connection.node === undefined ? {} : { node: this.#connection.node }),
        ...(drain === undefined ? {} : { drain }),
      });
    });
    if (!isRefusal(reply)) {
      this.#connection.used?.(shard);
      if (drain !== undefined) around?.drained(shard, drain);
      return reply as R;
    }
    const refused = WarpError.fromData(reply.refused);
    throw reply.stale ? new StaleSpace(refused) : refused;
  }

  /** What the shards tell unasked; undefined: nothing. */
  get pushes(): Pushes | undefined {
    return this.#connection.pushes;
  }

  /** Undefined: nothing can be watched over this connection. */
  get watching(): Watching | undefined {
    return this.#connection.watching;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#connection.close();
  }

  async #meet(intent: Intent, attempt: Attempt): Promise<SpaceSettings> {
    const found = await this.#fetch(attempt);
    if (found !== undefined) return found;
    const { space } = this.#connection;
    if (intent === "read") throw new WarpError("space_not_found", "the space does not exist");
    const made = await this.#deliver(attempt, "read", 0, (api) => api.createSpace(space, {}));
    if (isRefusal(made)) throw WarpError.fromData(made.refused);
    return this.#learn(made);
  }

  async #fetch(attempt: Attempt): Promise<SpaceSettings | undefined> {
    const reply = await this.#deliver(attempt, "read", 0, (api) => api.getSpace(this.#connection.space));
    if (!isRefusal(reply)) return this.#learn(reply);
    const refused = WarpError.fromData(reply.refused);
    if (refused.code !== "space_not_found") throw refused;
    this.#settings = undefined;
    this.#enter(undefined);
    this.#connection.around?.met(undefined);
    return undefined;
  }

  #learn(reply: SpaceReply): SpaceSettings {
    this.#enter(reply.space.id);
    this.see(reply.registrations, reply.space.id);
    this.#settings = reply.space;
    this.#connection.around?.met(reply.space);
    return reply.space;
  }

  #enter(spaceId: string | undefined): void {
    if (spaceId === this.#spaceId) return;
    if (this.#spaceId !== undefined) this.#lives++;
    this.#spaceId = spaceId;
    // Another life of the space counts its registrations from the start.
    this.#registrationsSeen = 0;
  }

  async #deliver<R>(
    attempt: Attempt,
    intent: Intent,
    shard: number,
    call: (api: ShardApi) => Promise<R>,
  ): Promise<R> {
    try {
      return await this.#attempt(attempt, intent, shard, call);
    } catch (cause) {
      if (cause instanceof StaleSpace) throw cause;
      const fault = WarpError.from(this.#connection.fault(cause), "internal", "the call broke");
      if (intent === "mutation") throw fault;
      if (fault.code !== "unavailable") throw withOutcome(fault, "fail");
    }
    // A stub or a socket that has just broken is often whole again at once; op ids would make it safe for mutations too, but whether
    // and how long to go on trying is their caller's to say.
    try {
      return await this.#attempt(attempt, intent, shard, call);
    } catch (cause) {
      if (cause instanceof StaleSpace) throw cause;
      const fault = WarpError.from(this.#connection.fault(cause), "internal", "the call broke");
      throw withOutcome(fault, "fail");
    }
  }

  async #attempt<R>(
    attempt: Attempt,
    intent: Intent,
    shard: number,
    call: (api: ShardApi) => Promise<R>,
  ): Promise<R> {
    const send = async (): Promise<R> => {
      const ready = this.#ready(shard);
      if (ready !== undefined) await ready;
      attempt.leave(intent);
      return await call(this.#connection.shard(shard));
    };
    const { around } = this.#connection;
    return await (around === undefined
      ? send()
      : around.call(shard, send, (error) => this.#isUnreached(error)));
  }

  #isUnreached(error: unknown): boolean {
    return !(error instanceof StaleSpace) && isWarpError(this.#connection.fault(error), "unavailable");
  }

  #ready(shard: number): Promise<void> | undefined {
    return this.#connection.ready?.(shard).catch((error: unknown) => {
      // The home shard can always be reached, and says what became of the space: it may have been made anew with fewer shards.
      if (shard > 0 && isWarpError(error, "space_not_found")) throw new StaleSpace(error);
      throw error;
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new WarpError("warp_closed", "this connection is closed");
  }
}

import { WarpError } from "../errors.ts";
import { checkSpace } from "../protocol/key.ts";
import {
  type CallScope,
  isRefusal,
  type OutboxUsage,
  type Refusal,
  type ShardApi,
  type SpaceOptionsData,
  type SpaceReply,
  type UsageReply,
} from "../protocol/shard-api.ts";
import { checkSpaceOptions } from "../protocol/space-options.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Timers } from "../runtime/clock.ts";
import { maxShards } from "../runtime/limits.ts";
import { Attempt, withOutcome } from "./attempt.ts";
import type { ShardConnection } from "./shard-connection.ts";

/** What a space's shards hold together, and each of them, in order. */
export interface SpaceUsage {
  readonly keys: number;
  /** Bytes of all stored values. */
  readonly valueBytes: number;
  readonly logEntries: number;
  readonly databaseBytes: number;
  /** What the storage behind the shards has yet to confirm, with the oldest one's age and one of the errors; absent: there is none, or no shard has used it yet. */
  readonly outbox?: OutboxUsage;
  readonly shards: readonly UsageReply[];
}

/** Making, showing and ending spaces. All calls throw `invalid_space` for a malformed name. */
export interface SpaceAdmin {
  /** The space; undefined where it does not exist. `space_deleting` while its deletion is unfinished. */
  get(space: string, limits?: CallLimits): Promise<SpaceReply | undefined>;
  /**
   * Creates the space, or confirms it where what `options` say is so; `space_conflict` where it is not. `invalid_argument` for what is out of its range, and for a
   * storage or a fallback that the deployment does not know.
   */
  create(
    space: string,
    options?: Partial<SpaceOptionsData>,
    limits?: CallLimits,
  ): Promise<SpaceReply & { readonly created: boolean }>;
  /** Ends the space and all its data; gives whether there was one. After a failure in the middle, with outcome `unknown`, the same call goes on. */
  delete(space: string, limits?: CallLimits): Promise<boolean>;
  /** Throws `space_not_found`. */
  usage(space: string, limits?: CallLimits): Promise<SpaceUsage>;
}

/** A {@link SpaceAdmin} over connections, of which it opens one for each call. */
export function spaceAdmin(options: {
  readonly connect: (space: string) => ShardConnection;
  readonly timers: Timers;
}): SpaceAdmin {
  const { connect, timers } = options;

  const run = async <T>(
    space: string,
    limits: CallLimits | undefined,
    work: (call: AdminCall) => Promise<T>,
  ): Promise<T> => {
    checkSpace(space);
    const connection = connect(space);
    try {
      return await Attempt.run(timers, limits, (attempt) => work(new AdminCall(connection, attempt)));
    } finally {
      await connection.close();
    }
  };

  return {
    get: (space, limits) => run(space, limits, (call) => call.get()),
    create: (space, settings = {}, limits) => {
      return run(space, limits, (call) => {
        checkSpaceOptions(settings);
        return call.ask("mutation", 0, (home) => home.createSpace(space, settings));
      });
    },
    delete: (space, limits) => run(space, limits, (call) => call.delete()),
    usage: (space, limits) => run(space, limits, (call) => call.usage()),
  };
}

/** One administrative call on one space. */
class AdminCall {
  readonly #connection: ShardConnection;
  readonly #attempt: Attempt;

  constructor(connection: ShardConnection, attempt: Attempt) {
    this.#connection = connection;
    this.#attempt = attempt;
  }

  /** Asks a shard once; a refusal is thrown. */
  async ask<R extends object>(
    intent: "read" | "mutation",
    shard: number,
    send: (api: ShardApi) => Promise<R | Refusal>,
  ): Promise<R> {
    this.#attempt.leave(intent);
    let reply: R | Refusal;
    try {
      reply = await send(this.#connection.shard(shard));
    } catch (cause) {
      const fault = WarpError.from(this.#connection.fault(cause), "internal", "the call broke");
      throw intent === "read" ? withOutcome(fault, "fail") : fault;
    }
    if (isRefusal(reply)) throw WarpError.fromData(reply.refused);
    return reply as R;
  }

  async get(): Promise<SpaceReply | undefined> {
    try {
      return await this.ask("read", 0, (home) => home.getSpace(this.#connection.space));
    } catch (error) {
      if (error instanceof WarpError && error.code === "space_not_found") return undefined;
      throw error;
    }
  }

  /** The mark on the home shard comes first and its data goes last, so that whatever fails between can be taken up again. */
  async delete(): Promise<boolean> {
    const { space } = this.#connection;
    const found = await this.#toDelete();
    if (found === undefined) return false;
    const { shards, id } = found;
    await this.ask("mutation", 0, (home) => home.deleteSpace(space, "begin", id));
    const finish = (shard: number): Promise<unknown> =>
      this.ask("mutation", shard, (api) => api.deleteSpace(space, "finish", id));
    const others = Array.from({ length: shards - 1 }, (_, at) => shards - 1 - at);
    try {
      await Promise.all(others.map(finish));
      await finish(0);
    } catch (error) {
      // It is marked, and nobody can use it any more: the refusal of a part is not that of the whole.
      throw error instanceof WarpError ? withOutcome(error, "unknown") : error;
    }
    return true;
  }

  async usage(): Promise<SpaceUsage> {
    const found = await this.get();
    if (found === undefined) throw new WarpError("space_not_found", "the space does not exist");
    const { name, id, shards } = found.space;
    const scope = (shard: number): CallScope => {
      return { space: name, shard, spaceId: id, registrations: found.registrations };
    };
    const each = await Promise.all(
      Array.from({ length: shards }, (_, shard) => this.ask("read", shard, (api) => api.usage(scope(shard)))),
    );
    const sum = (field: "keys" | "valueBytes" | "logEntries" | "databaseBytes"): number => {
      return each.reduce((total, usage) => total + usage[field], 0);
    };
    return {
      keys: sum("keys"),
      valueBytes: sum("valueBytes"),
      logEntries: sum("logEntries"),
      databaseBytes: sum("databaseBytes"),
      ...outboxOf(each),
      shards: each,
    };
  }

  /**
   * How many shards there are to delete, and of which life; undefined: there is no space. Where an earlier deletion was cut short and the home shard does not
   * say how many it had, all that there may be: ending a shard that was never used does nothing.
   */
  async #toDelete(): Promise<{ readonly shards: number; readonly id: string | undefined } | undefined> {
    try {
      return (await this.get())?.space;
    } catch (error) {
      if (!(error instanceof WarpError) || error.code !== "space_deleting") throw error;
      const { shards, spaceId } = error.details ?? {};
      return {
        shards: typeof shards === "number" ? shards : maxShards,
        id: typeof spaceId === "string" ? spaceId : undefined,
      };
    }
  }
}

function outboxOf(shards: readonly UsageReply[]): Pick<SpaceUsage, "outbox"> {
  const all = shards.flatMap(({ outbox }) => outbox ?? []);
  if (all.length === 0) return {};
  const error = all.find((outbox) => outbox.error !== undefined)?.error;
  const sum = (field: "entries" | "bytes" | "lost" | "losses"): number =>
    all.reduce((total, outbox) => total + (outbox[field] ?? 0), 0);
  const lagMs = Math.max(...all.map((outbox) => outbox.lagMs));
  const [lost, losses] = [sum("lost"), sum("losses")];
  return {
    outbox: {
      entries: sum("entries"),
      bytes: sum("bytes"),
      lagMs,
      ...(lost > 0 && { lost }),
      ...(losses > 0 && { losses }),
      ...(error && { error }),
    },
  };
}

import { Attempt, withOutcome } from "../../connection/attempt.ts";
import { WarpError } from "../../errors.ts";
import { isRefusal, type SpaceReply } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type { WireMethod } from "../../protocol/wire/frames.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Timers } from "../../runtime/clock.ts";
import type { LiveLinks } from "./links.ts";
import type { Welcome } from "./session.ts";

type Intent = "read" | "mutation";

/** Calls of the shards of a space. */
export class LiveCalls {
  readonly #space: string;
  readonly #links: LiveLinks;
  readonly #timers: Timers;
  readonly #timeoutMs: number | undefined;
  #settings: SpaceSettings | undefined;

  constructor(space: string, links: LiveLinks, timers: Timers, timeoutMs: number | undefined) {
    this.#space = space;
    this.#links = links;
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  /** Undefined before the first call. */
  get knownShards(): number | undefined {
    return this.#settings?.shards;
  }

  /** How many shards the space has. Throws `space_not_found`. */
  shards(limits: CallLimits): Promise<number> {
    return this.#run(limits, async (attempt) => (await this.#meet("read", attempt)).shards);
  }

  /**
   * One request to a shard. A read is sent again where its connection breaks; a mutation then has the outcome `unknown`. What a shard refuses because this picture of the space is
   * old is sent again with a new one.
   */
  ask<R extends object>(
    intent: Intent,
    method: WireMethod,
    shardOf: (shards: number) => number,
    request: (welcome: Welcome) => object,
    limits: CallLimits,
  ): Promise<R> {
    return this.#run(limits, async (attempt) => {
      for (let tries = 0; ; tries++) {
        let isSent = false;
        const settings = this.#settings;
        try {
          const { id, shards } = settings ?? (await this.#meet(intent, attempt));
          const shard = shardOf(shards);
          const session = await this.#links.at(shard).ready();
          const { welcome } = session;
          if (welcome === undefined) throw new WarpError("unavailable", "the connection broke");
          const scope = { space: this.#space, shard, spaceId: id, registrations: 0 };
          attempt.leave(intent);
          isSent = true;
          const reply = await session.call(method, { ...scope, ...request(welcome) });
          if (!isRefusal(reply)) return reply as R;
          if (!reply.stale || tries > 0) throw WarpError.fromData(reply.refused);
          this.#settings = undefined;
        } catch (thrown) {
          const error = WarpError.from(thrown, "internal", "the call broke", { outcome: "unknown" });
          const isGone = error.code === "space_not_found";
          if (isGone) this.#settings = undefined;
          const isWithoutEffect = intent === "read" || !isSent;
          // It broke under way, or the space was made anew with fewer shards.
          const isPassing =
            (error.code === "unavailable" && error.outcome === "unknown") ||
            (isGone && settings !== undefined);
          if (tries > 0 || !isWithoutEffect || !isPassing)
            throw isWithoutEffect ? withOutcome(error, "fail") : error;
        }
      }
    });
  }

  async #run<T>(limits: CallLimits, work: (attempt: Attempt) => Promise<T>): Promise<T> {
    const { signal, timeoutMs = this.#timeoutMs } = limits;
    return await Attempt.run(
      this.#timers,
      { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      work,
    );
  }

  async #meet(intent: Intent, attempt: Attempt): Promise<SpaceSettings> {
    if (this.#settings !== undefined) return this.#settings;
    const session = await this.#links.at(0).ready();
    attempt.leave("read");
    let reply = await session.call("getSpace", this.#space);
    // A first write makes the space.
    if (intent === "mutation" && isRefusal(reply) && reply.refused.code === "space_not_found")
      reply = await session.call("createSpace", this.#space, {});
    if (isRefusal(reply)) throw WarpError.fromData(reply.refused);
    this.#settings = (reply as SpaceReply).space;
    return this.#settings;
  }
}

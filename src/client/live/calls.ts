import { WarpError } from "../../errors.ts";
import { isRefusal, type SpaceReply } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type { WireMethod } from "../../protocol/wire/frames.ts";
import type { Timers } from "../../runtime/clock.ts";
import { maxTimeoutMs } from "../../runtime/limits.ts";
import { closed } from "./close.ts";
import type { Welcome } from "./link-types.ts";
import type { LiveLinks } from "./links.ts";
import type { ClientCallOptions } from "./types.ts";

/** How far a call has come, which decides what a caller who gives up may believe. */
interface Progress {
  isSent: boolean;
  isGivenUp: boolean;
}

/** Calls of the shards of a space. */
export class LiveCalls {
  readonly #space: string;
  readonly #links: LiveLinks;
  readonly #timers: Timers;
  readonly #timeoutMs: number;
  #settings: SpaceSettings | undefined;

  constructor(space: string, links: LiveLinks, timers: Timers, timeoutMs: number) {
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
  shards(options: ClientCallOptions = {}): Promise<number> {
    return this.#within(options, async () => (await this.#meet(false)).shards);
  }

  /**
   * One request to a shard. A read is sent again where its connection breaks; a mutation then has the outcome `unknown`. What a shard refuses because this picture of the space is
   * old is sent again with a new one.
   */
  ask<R extends object>(
    method: WireMethod,
    shardOf: (shards: number) => number,
    request: (welcome: Welcome, epoch: string | undefined) => object,
    options: ClientCallOptions,
  ): Promise<R> {
    const changes = method !== "read";
    return this.#within(options, async (progress) => {
      for (let tries = 0; ; tries++) {
        const settings = this.#settings;
        try {
          const { id, shards } = settings ?? (await this.#meet(changes));
          const shard = shardOf(shards);
          const link = this.#links.at(shard);
          const session = await link.ready();
          // Nobody waits for it any more.
          if (progress.isGivenUp) throw closed();
          const frame = {
            space: this.#space,
            shard,
            spaceId: id,
            registrations: 0,
            ...request(session.welcome as Welcome, link.epoch),
          };
          progress.isSent = changes;
          const reply = await link.ask(session, { t: "call", id: 0, m: method, a: [frame] });
          if (!isRefusal(reply)) return reply as R;
          progress.isSent = false;
          if (!reply.stale || tries > 0) throw WarpError.fromData(reply.refused);
          this.#settings = undefined;
        } catch (thrown) {
          const error = WarpError.from(thrown, "internal", "the call broke", { outcome: "unknown" });
          const { code, outcome } = error;
          const isGone = code === "space_not_found";
          if (isGone) this.#settings = undefined;
          // It broke under way, or the space was made anew with fewer shards.
          const mayPass = (code === "unavailable" && outcome === "unknown") || (isGone && settings);
          if (progress.isSent) throw error;
          if (tries > 0 || !mayPass)
            throw outcome === "fail" ? error : WarpError.fromData({ ...error.toData(), outcome: "fail" });
        }
      }
    });
  }

  /** Runs `work` until the caller's deadline or signal ends the wait. */
  async #within<T>(
    { signal, timeoutMs = this.#timeoutMs }: ClientCallOptions,
    work: (progress: Progress) => Promise<T>,
  ): Promise<T> {
    if (!(timeoutMs >= 1 && timeoutMs <= maxTimeoutMs))
      throw new WarpError("invalid_argument", `timeoutMs is a number from 1 to ${maxTimeoutMs}`);
    const progress: Progress = { isSent: false, isGivenUp: false };
    return await new Promise((resolve, reject) => {
      const giveUp = (code: "aborted" | "deadline_exceeded", cause?: unknown): void => {
        end();
        progress.isGivenUp = true;
        const outcome = progress.isSent ? "unknown" : "fail";
        reject(new WarpError(code, "nobody waits for it", { outcome, cause }));
      };
      const cancel = this.#timers.after(timeoutMs, () => giveUp("deadline_exceeded"), { awaited: true });
      const onAbort = (): void => giveUp("aborted", signal?.reason);
      const end = (): void => {
        cancel();
        signal?.removeEventListener("abort", onAbort);
      };
      signal?.addEventListener("abort", onAbort);
      if (signal?.aborted) onAbort();
      else work(progress).then(resolve, reject).finally(end);
    });
  }

  async #meet(makes: boolean): Promise<SpaceSettings> {
    if (this.#settings) return this.#settings;
    const link = this.#links.at(0);
    const session = await link.ready();
    const ask = (m: WireMethod, ...rest: readonly unknown[]): Promise<object> =>
      link.ask(session, { t: "call", id: 0, m, a: [this.#space, ...rest] });
    let reply = await ask("getSpace");
    // A first write makes the space.
    if (makes && isRefusal(reply) && reply.refused.code === "space_not_found")
      reply = await ask("createSpace", {});
    if (isRefusal(reply)) throw WarpError.fromData(reply.refused);
    this.#settings = (reply as SpaceReply).space;
    return this.#settings;
  }
}

import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { realTimers } from "./redis-bridge/real-timers.ts";
import { seeded } from "./seeded.ts";

type Command = UpstashRedis["command"];
type Scripted = UpstashRedis["script"];

/** A way to a real server that tells when nothing is under way on it, for tests whose other time is virtual. */
export class QuietRedis extends UpstashRedis {
  readonly #under = new Set<Promise<unknown>>();
  /** What has to be done before the next request leaves. */
  before: Promise<unknown> = Promise.resolve();
  /** Requests that have left. */
  sent = 0;

  constructor({ url, token }: { readonly url: string; readonly token: string }, timeoutMs = 10_000) {
    super({ url, token, timers: realTimers, random: seeded(1), timeoutMs });
  }

  override command(...call: Parameters<Command>): ReturnType<Command> {
    return this.#note(() => super.command(...call));
  }

  override script(...call: Parameters<Scripted>): ReturnType<Scripted> {
    return this.#note(() => super.script(...call));
  }

  /** Settles when nothing is under way, and what came of it has been dealt with. */
  async quiet(settle: () => Promise<void>): Promise<void> {
    await settle();
    while (this.#under.size > 0) {
      await Promise.allSettled(this.#under);
      await settle();
    }
  }

  #note<T>(call: () => Promise<T>): Promise<T> {
    this.sent++;
    const work = this.before.then(call);
    this.#under.add(work);
    const end = (): void => void this.#under.delete(work);
    work.then(end, end);
    return work;
  }
}

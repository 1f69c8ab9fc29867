import type { QuietRedis } from "./quiet-redis.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** Virtual time for what talks to a real server: it stands still while requests are under way. */
export interface RedisTime {
  /** Moves time on, timer by timer. */
  advance(ms: number): Promise<void>;
  /** Moves time on by as little as `work` takes, at most `mostMs`. */
  done<T>(work: Promise<T>, mostMs: number): Promise<T>;
}

/** `stepMs`: how exactly time moves. */
export function redisTime(clock: VirtualClock, redis: QuietRedis, stepMs: number): RedisTime {
  const settle = (): Promise<void> => redis.quiet(() => clock.settle());
  const advance = async (ms: number): Promise<void> => {
    await settle();
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      await clock.advance(Math.min(stepMs, leftMs));
      await settle();
    }
  };
  return {
    advance,
    async done(work, mostMs) {
      let isSettled = false;
      const settled = (): void => {
        isSettled = true;
      };
      work.then(settled, settled);
      await settle();
      for (let spentMs = 0; !isSettled && spentMs < mostMs; spentMs += stepMs) await advance(stepMs);
      return await work;
    },
  };
}

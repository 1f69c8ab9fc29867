import type { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { realTimers } from "./redis-bridge/real-timers.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** Virtual time for what talks to a real server: time stands still while requests are under way. */
export interface RedisTime {
  /** Counts the requests of a client from now on. */
  watch(redis: UpstashRedis): void;
  /** Lets all that can run without time passing run to its end, requests included. */
  settle(): Promise<void>;
  /** Moves time on, timer by timer. */
  advance(ms: number): Promise<void>;
  /** Moves time on by as little as `work` takes, at most `mostMs`. */
  done<T>(work: Promise<T>, mostMs: number): Promise<T>;
}

/** `stepMs`: how exactly time moves. */
export function redisTime(clock: VirtualClock, stepMs = 5): RedisTime {
  let underWay = 0;
  const turn = (): Promise<void> => new Promise((resolve) => void realTimers.after(0, resolve));
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < 2; quiet = underWay === 0 ? quiet + 1 : 0) await turn();
  };
  const advance = async (ms: number): Promise<void> => {
    await settle();
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      const before = clock.timers;
      await clock.advance(Math.min(stepMs, leftMs));
      // Where no timer has gone off, nothing has begun.
      if (underWay > 0 || clock.timers !== before) await settle();
    }
  };
  return {
    watch(redis) {
      const { script, command } = redis;
      redis.script = (...words) => counted(script.apply(redis, words));
      redis.command = (...words) => counted(command.apply(redis, words));
    },
    settle,
    advance,
    async done(work, mostMs) {
      let isSettled = false;
      work.then(
        () => (isSettled = true),
        () => (isSettled = true),
      );
      await settle();
      for (let spentMs = 0; !isSettled && spentMs < mostMs; spentMs += stepMs) await advance(stepMs);
      return await work;
    },
  };

  async function counted<T>(call: Promise<T>): Promise<T> {
    underWay++;
    try {
      return await call;
    } finally {
      underWay--;
    }
  }
}

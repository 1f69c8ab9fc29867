import type { UpstashBusOptions } from "../../src/syncbus/upstash/options.ts";
import { type UpstashBus, upstashBus } from "../../src/syncbus/upstash/upstash-bus.ts";
import type { BusBed } from "../contract/syncbus.ts";
import { busHost } from "./bus-host.ts";
import { QuietRedis } from "./quiet-redis.ts";
import { RedisBed } from "./redis-bridge/bed.ts";

/** Ends of one bus over a real server, in virtual time. */
export interface UpstashBusBed extends BusBed {
  readonly server: RedisBed;
  readonly redis: QuietRedis;
  readonly host: ReturnType<typeof busHost>;
  end(node?: string, options?: Partial<UpstashBusOptions>): UpstashBus;
  /** Lets all that is under way come to its end, without looking at the stream. */
  quiet(): Promise<void>;
}

/** Runs `work` with a bed; its ends are closed afterwards. */
export async function withUpstashBuses(
  work: (bed: UpstashBusBed) => Promise<void>,
  {
    timeoutMs,
    ...request
  }: NonNullable<Parameters<typeof RedisBed.open>[0]> & { readonly timeoutMs?: number } = {},
): Promise<void> {
  await RedisBed.with(async (server) => {
    const host = busHost();
    const redis = new QuietRedis(server, timeoutMs);
    const ends: UpstashBus[] = [];
    const quiet = (): Promise<void> => redis.quiet(() => host.clock.settle());
    const bed: UpstashBusBed = {
      server,
      redis,
      host,
      clock: host.clock,
      quiet,
      end: (node, options = {}) => {
        const named = node === undefined ? {} : { node };
        const end = upstashBus({ ...host, redis, space: "test", ...named, ...options });
        ends.push(end);
        return end;
      },
      arrive: async () => {
        await quiet();
        for (const end of ends) await end.poll().catch(() => undefined);
        await quiet();
      },
      cut: () => {
        redis.before = server.fault({ kind: "dropAfter", command: "XADD" });
      },
      again: async () => {
        const [[, fields]] = (await server.text("XREVRANGE", stream, "+", "-", "COUNT", "1")) as [
          [string, string[]],
        ];
        await server.command("XADD", stream, "*", ...fields);
      },
    };
    try {
      await work(bed);
    } finally {
      await Promise.all(ends.map((end) => end.close()));
      await quiet();
      redis.close();
    }
  }, request);
}

/** Of the space `test`. */
export const stream = "warp:{test}:bus";

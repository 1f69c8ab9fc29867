import { compareKeys } from "../../src/protocol/key.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { ReadState, UpstashWatchBusOptions } from "../../src/watchbus/upstash/options.ts";
import { type UpstashWatchBus, upstashWatchBus } from "../../src/watchbus/upstash/upstash-watch-bus.ts";
import type { WatchBusBed } from "../contract/watchbus-bed.ts";
import { QuietRedis } from "./quiet-redis.ts";
import { RedisBed } from "./redis-bridge/bed.ts";
import { seeded } from "./seeded.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** Ends of one watch bus over a real server, and a small storage whose changes one of them tells, in virtual time. */
export interface UpstashWatchBed extends WatchBusBed {
  readonly server: RedisBed;
  readonly redis: QuietRedis;
  readonly clock: VirtualClock;
  readonly errors: unknown[];
  readonly state: ReadState;
  /** Tells of what the storage changes. */
  readonly teller: UpstashWatchBus;
  open(options?: Partial<UpstashWatchBusOptions>): UpstashWatchBus;
}

/** Of the space `test`. */
export const watchStream = "warp:{test}:watch";

/** Runs `work` with a bed; its ends are closed afterwards. */
export async function withUpstashWatches(
  work: (bed: UpstashWatchBed) => Promise<void>,
  request: Parameters<typeof RedisBed.open>[0] = {},
): Promise<void> {
  await RedisBed.with(async (server) => {
    const clock = virtualClock();
    const random = seeded(1);
    const redis = new QuietRedis(server);
    const errors: unknown[] = [];
    const background = {
      run: (job: Promise<unknown>) => void job.catch((error: unknown) => errors.push(error)),
    };
    const values = new Map<
      string,
      { readonly version: number; readonly payload: Payload; readonly endsAtMs: number }
    >();
    const state: ReadState = async (target, after, limit) => {
      const names = [...values.keys()]
        .filter((key) => ("key" in target ? key === target.key : key.startsWith(target.prefix)))
        .filter((key) => after === undefined || compareKeys(key, after) > 0)
        .sort(compareKeys);
      const items = names.slice(0, limit).flatMap((key) => {
        const value = values.get(key);
        return value === undefined ? [] : [{ key, version: value.version, payload: value.payload }];
      });
      return { items, more: names.length > limit };
    };
    const ends: UpstashWatchBus[] = [];
    const open = (options: Partial<UpstashWatchBusOptions> = {}): UpstashWatchBus => {
      const end = upstashWatchBus({
        redis,
        clock,
        timers: clock,
        random,
        background,
        space: "test",
        state,
        maxEntries: 5_000,
        onError: (error) => errors.push(error),
        ...options,
      });
      ends.push(end);
      return end;
    };
    const quiet = (): Promise<void> => redis.quiet(() => clock.settle());
    const look = async (): Promise<void> => {
      for (const end of ends) await end.poll().catch(() => undefined);
      await quiet();
    };
    const teller = open();
    const put = async (
      changes: Readonly<Record<string, { readonly payload: Payload; readonly endsAtMs: number }>>,
    ) => {
      const told = Object.entries(changes).map(
        ([key, { payload }]) => ({ kind: "set", key, payload }) as const,
      );
      const { revision: version } = await teller.tell(told);
      for (const [key, value] of Object.entries(changes)) values.set(key, { version, ...value });
    };
    const bed: UpstashWatchBed = {
      server,
      redis,
      clock,
      errors,
      state,
      teller,
      random,
      open,
      now: () => clock.now(),
      set: (key, value, expiresInMs = Number.POSITIVE_INFINITY) =>
        put({ [key]: { payload: payloadOf(value), endsAtMs: clock.now() + expiresInMs } }),
      delete: async (key) => {
        if (values.delete(key)) await teller.tell([{ kind: "delete", key }]);
      },
      together: (all) =>
        put(
          Object.fromEntries(
            Object.entries(all).map(([key, value]) => [
              key,
              { payload: payloadOf(value), endsAtMs: Number.POSITIVE_INFINITY },
            ]),
          ),
        ),
      forget: async () => {
        await Promise.all(
          Array.from({ length: 10_100 }, (_, i) =>
            teller.tell([{ kind: "set", key: `zz:${i % 10}`, payload: payloadOf("") }]),
          ),
        );
      },
      advance: async (ms) => {
        await quiet();
        await clock.advance(ms);
        for (const [key, { endsAtMs }] of values) {
          if (endsAtMs > clock.now()) continue;
          values.delete(key);
          await teller.tell([{ kind: "expire", key }]);
        }
        await quiet();
        await look();
      },
      done: async (call) => {
        let isDone = false;
        const end = (): void => {
          isDone = true;
        };
        call.then(end, end);
        for (let turn = 0; turn < 100 && !isDone; turn++) {
          await quiet();
          if (!isDone && turn > 1) await look();
        }
        return await call;
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

function payloadOf(value: string | Uint8Array): Payload {
  return typeof value === "string"
    ? { bytes: utf8(value), contentType: "text/plain" }
    : { bytes: value, contentType: "application/octet-stream" };
}

import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { upstashLocks } from "../../src/lock/upstash/upstash-locks.ts";
import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

declare const performance: { now(): number };

const seed = 20_261_125;
const clients = 6;
const turns = 8;
const restarts = 2;
const names = ["one", "two"];

/** From when an answer said that it is held until the release was sent. */
interface Tenure {
  readonly name: string;
  readonly fence: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is wrong with tenures of exclusive locks. */
function overlaps(tenures: readonly Tenure[]): string[] {
  return names.flatMap((name) => {
    const own = tenures.filter((tenure) => tenure.name === name).sort((a, b) => a.fromMs - b.fromMs);
    return own.flatMap((tenure, i) => {
      const before = own[i - 1];
      if (before === undefined) return [];
      const wrong =
        tenure.fromMs < before.toMs ? [`${name}: ${before.fence} and ${tenure.fence} at once`] : [];
      return tenure.fence > before.fence
        ? wrong
        : [...wrong, `${name}: ${tenure.fence} after ${before.fence}`];
    });
  });
}

it("LK1 two tenures at once, and a fence that falls, are found", () => {
  const first = { name: "one", fence: 5, fromMs: 0, toMs: 10 };
  expect(overlaps([first, { name: "one", fence: 6, fromMs: 10, toMs: 20 }])).toEqual([]);
  expect(overlaps([first, { name: "two", fence: 4, fromMs: 5, toMs: 20 }])).toEqual([]);
  expect(overlaps([first, { name: "one", fence: 6, fromMs: 9, toMs: 20 }])).toHaveLength(1);
  expect(overlaps([first, { name: "one", fence: 4, fromMs: 10, toMs: 20 }])).toHaveLength(1);
});

describe.skipIf(withoutRedis !== undefined)("Upstash locks under faults", () => {
  it(`LK1 LK2 OU2 no two hold a name at once, fences grow, every command is settled (seed ${seed})`, () =>
    RedisBed.with(
      async (bed) => {
        const tenures: Tenure[] = [];
        const counts = { unknown: 0, failed: 0, replayed: 0, waits: 0 };
        const pause = (ms: number) => new Promise<void>((resolve) => void realTimers.after(ms, resolve));
        const [seconds, micros] = (await bed.text("TIME")) as readonly string[];
        const aheadMs = Number(seconds) * 1_000 + Number(micros) / 1_000 - performance.now();
        const clock = { now: () => performance.now() + aheadMs };
        for (const kind of ["dropBefore", "dropAfter", "status", "garbage"] as const) {
          await bed.fault({ kind, share: 0.03, times: 100_000 });
        }
        await bed.fault({ kind: "delay", ms: 400, share: 0.01, times: 100_000 });

        const client = async (at: number): Promise<void> => {
          const random = seeded(seed + at);
          const { url, token } = bed;
          const options = { url, token, timers: realTimers, random, clock, space: "test", timeoutMs: 300 };
          const locks = upstashLocks(options);
          const owner = `client ${at}`;
          const opId = () => scopeOpId("test", uuidv7(clock, random));
          /** Asks again, under the same op id, until there is a verdict. */
          const settled = async (ask: () => Promise<LockVerdict | undefined>): Promise<LockVerdict> => {
            for (let tried = 0; tried < 400; tried++) {
              try {
                const verdict = await ask();
                if (verdict === undefined) throw new Error("no verdict");
                if ("replayed" in verdict) counts.replayed++;
                return verdict;
              } catch (error) {
                if (!(error instanceof WarpError && error.retryable)) throw error;
                counts[error.outcome === "unknown" ? "unknown" : "failed"]++;
                await pause(10);
              }
            }
            throw new Error(`seed ${seed}: no verdict after 400 attempts`);
          };
          const run = (command: LockCommand) => settled(async () => (await locks.run([command]))[0]);
          for (let turn = 0; turn < turns; turn++) {
            const name = random.pick(names);
            let verdict = await run({
              ...{ kind: "acquire", as: "mutex", opId: opId(), name, owner, ttlMs: 60_000, waitMs: 600_000 },
            } as const);
            while (verdict.outcome === "ok" && (verdict.state === "waiting" || verdict.state === "offered")) {
              counts.waits++;
              const { ticket } = verdict;
              if (verdict.state === "offered")
                verdict = await run({ kind: "claim", opId: opId(), name, owner, ticket });
              else verdict = await settled(() => locks.wait({ name, owner, ticket, waitMs: 2_000 }));
              // An offer that was not claimed in time goes round; its place stays.
              if (verdict.outcome === "fail" && verdict.error.details?.reason === "unclaimed")
                verdict = { outcome: "ok", state: "waiting", ticket, position: 1 };
            }
            if (verdict.outcome !== "ok" || verdict.state !== "held") {
              throw new Error(`seed ${seed}: ${JSON.stringify(verdict)}`);
            }
            const { fence } = verdict;
            const fromMs = performance.now();
            await pause(random.below(8));
            tenures.push({ name, fence, fromMs, toMs: performance.now() });
            const released = await run({ kind: "release", opId: opId(), name, owner, fence });
            expect(released, `seed ${seed}`).toMatchObject({ outcome: "ok", state: "ended" });
          }
          await locks.close();
        };
        let over = false;
        const killer = async (): Promise<void> => {
          for (let i = 1; i <= restarts; i++) {
            while (!over && tenures.length < (clients * turns * i) / (restarts + 1)) await pause(5);
            if (!over) await bed.server("restart");
          }
        };
        const all = Promise.all(Array.from({ length: clients }, (_, i) => client(i))).finally(() => {
          over = true;
        });
        await Promise.all([all, killer()]);
        console.log(
          `seed ${seed}: ${tenures.length} tenures, ${JSON.stringify(counts)}, ${await bed.requests()} requests`,
        );
        expect(overlaps(tenures), `seed ${seed}`).toEqual([]);
        expect(tenures).toHaveLength(clients * turns);
        expect(Math.min(counts.unknown, counts.replayed, counts.waits)).toBeGreaterThan(0);
      },
      { own: true, seed },
    ));
});

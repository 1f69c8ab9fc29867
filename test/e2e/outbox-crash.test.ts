/** About 10 s. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { newOpId, SpaceHttp } from "../support/http-client.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { eventually } from "../support/serve.ts";
import { StoredSpace, valuesSet } from "../support/storage-chaos/stored.ts";
import { Bed } from "../support/twin/bed.ts";

const space = "behind";
const writes = 5_000;
const width = 50;

interface Outbox {
  readonly entries: number;
  readonly lagMs: number;
}

test.skipIf(redisOrSkip())(
  "AD1 a full outbox outlives kill -9, and another one while it is sent: the storage gets every entry once, in order",
  async () => {
    const redis = await LocalRedis.start();
    const { variables } = redis;
    const settings = { storage: { name: "upstash" } };
    const bed = await Bed.start({ space, settings, isolates: 2, nodes: {}, variables });
    try {
      const outbox = async (): Promise<Outbox> =>
        ((await new SpaceHttp(bed.url(), space).json("")) as { usage: { outbox: Outbox } }).usage.outbox;
      await new SpaceHttp(bed.url(), space).put("first", "1");
      expect(await eventually(async () => (await outbox()).entries === 0)).toBe(true);

      await redis.server("kill");
      const takenFrom = performance.now();
      const versions = new Map<string, number>();
      await Promise.all(Array.from({ length: 4 }, (_, client) => write(bed, client, versions)));
      const takenMs = performance.now() - takenFrom;
      expect(versions.size).toBe(writes);
      const full = await outbox();
      expect(full.entries, "all of it waits").toBe(writes);

      await bed.killAndRestart();
      expect((await outbox()).entries, "it waits still").toBe(writes);

      // Answers are slow and some are lost, so that the next kill meets batches under way.
      await redis.fault({ kind: "dropAfter", times: 20, share: 0.4 });
      await redis.fault({ kind: "delay", ms: 150, times: 1_000 });
      await redis.server("start");
      await redis.monitor();
      const isSending = async () => {
        const { entries } = await outbox();
        return entries < writes && entries > 0;
      };
      expect(await eventually(isSending, 45_000), "it is being sent").toBe(true);
      const left = (await outbox()).entries;
      await bed.killAndRestart();
      await redis.clearFaults();
      const sentFrom = performance.now();
      expect(await eventually(async () => (await outbox()).entries === 0, 60_000), "it is empty").toBe(true);
      const sentMs = performance.now() - sentFrom;

      const batches = valuesSet(await redis.monitored(), space);
      const got = batches.flat();
      console.log(
        `outbox: ${writes} writes taken in ${Math.round(takenMs)} ms while Redis was down, oldest ${full.lagMs} ms; ${left} left at the second kill -9, ` +
          `sent in ${Math.round(sentMs)} ms after it; ${batches.length} batches, ${got.length} values stored`,
      );
      expect(got.length, "each once").toBe(writes);
      expect(new Map(got.map(({ key, version }) => [key, version]))).toEqual(versions);
      let highest = 0;
      for (const batch of batches) {
        const all = batch.map(({ version }) => version);
        expect(Math.min(...all), "in order").toBeGreaterThan(highest);
        highest = Math.max(...all);
      }
      const stored = await new StoredSpace(redis, space).read([...versions.keys()]);
      for (const [key, version] of versions) expect(stored.get(key)?.version, key).toBe(version);
    } finally {
      await bed.stop();
      await redis.end();
    }
  },
  150_000,
);

/** A share of the writes, in batches, by one client; notes what versions they got. */
async function write(bed: Bed, client: number, versions: Map<string, number>): Promise<void> {
  const isolate = bed.isolates[client % 2];
  for (let from = 0; from < writes / 4; from += width) {
    const sets = Array.from({ length: width }, (_, at) => ({
      key: `k${client}:${from + at}`,
      value: from + at,
      opId: newOpId(),
    }));
    const answer = await isolate?.call({ do: "batch", sets, opId: newOpId() });
    if (!answer?.ok) throw new Error(`not written: ${JSON.stringify(answer)}`);
    for (const [at, ended] of answer.ended.entries()) {
      if (!ended.ok) throw new Error(`not written: ${JSON.stringify(ended)}`);
      versions.set(sets[at]?.key ?? "", ended.version);
    }
    await sleep(0);
  }
}

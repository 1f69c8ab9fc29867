import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { shardOf } from "../../src/protocol/key.ts";
import { Problem, SpaceHttp } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";
import { type Acked, CrashWriter, itemOf } from "./crash-writer.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Date.now() % 2 ** 32);
const shards = 2;
const crashes = 5;

test("OU1 OU2 five kill -9 amid writes: nothing acknowledged is lost, no revision comes twice, op ids keep their verdict", async () => {
  console.log(`crash test: seed ${seed} (WARP_TEST_SEED repeats its choices)`);
  const random = seeded(seed);
  await using folder = await temporaryFolder();
  const writers = Array.from({ length: 32 }, (_, index) => new CrashWriter(`w${index}`, 12, random));
  const epochs = new Set<string>();
  let resolved = 0;

  let served = await startServe(folder.path, ["--isolates", "2"]);
  try {
    await new SpaceHttp(served.url, "crash").create({ shards });
    for (let crash = 0; crash < crashes; crash++) {
      await writeUntilKilled(served, writers, 500 + random.below(700));
      served = await startServe(folder.path, ["--isolates", "2"]);
      const space = new SpaceHttp(served.url, "crash");
      for (const writer of writers) {
        for (const epoch of await checkKeys(space, writer)) epochs.add(epoch);
        const known = writer.history.slice(-8);
        await checkRepeated(space, known);
        resolved += await writer.resolve(space);
      }
    }
    await checkVersions(writers);
    expect([...epochs], "the shards' epochs stay what they were").toHaveLength(shards);
    const history = writers.flatMap((writer) => writer.history);
    console.log(`crash test: ${history.length} acknowledged, ${resolved} of unknown fate resolved`);
    expect(history.length).toBeGreaterThan(500);
    expect(resolved, "no kill met a write under way").toBeGreaterThan(0);
  } finally {
    await served.stop();
  }
}, 240_000);

async function writeUntilKilled(
  served: Served,
  writers: readonly CrashWriter[],
  afterMs: number,
): Promise<void> {
  const spaces = served.urls.map((url) => new SpaceHttp(url, "crash"));
  let stopped = false;
  const runs = writers.map((writer, index) =>
    writer.run(spaces[index % spaces.length] as SpaceHttp, () => stopped),
  );
  await Promise.race([sleep(afterMs), Promise.all(runs)]);
  await served.kill();
  stopped = true;
  const broken = await Promise.all(runs);
  expect(broken.filter(Boolean).length, "clients that were cut off in the middle").toBeGreaterThan(0);
}

/** Each key is what was last acknowledged, or what its open mutation makes of it. Gives the epochs seen. */
async function checkKeys(space: SpaceHttp, writer: CrashWriter): Promise<Set<string>> {
  const epochs = new Set<string>();
  for (const [key, { acked, pending }] of writer.keys) {
    const read = await space.get(key);
    epochs.add(read.epoch);
    const facts = JSON.stringify({ seed, key, read, acked, pending });
    const asAcked = read.text === acked?.text && (read.text === undefined || read.version === acked?.version);
    const asPending =
      pending !== undefined &&
      read.text === pending.text &&
      (read.text === undefined || read.version > (acked?.version ?? 0));
    expect(asAcked || asPending, facts).toBe(true);
  }
  return epochs;
}

/** What was acknowledged before the crash gives the same verdict again and has no second effect. */
async function checkRepeated(space: SpaceHttp, acked: readonly Acked[]): Promise<void> {
  const verdicts = await space.batch(acked.map(itemOf));
  for (const [index, one] of acked.entries()) {
    const verdict = verdicts[index];
    const facts = JSON.stringify({ seed, one, verdict });
    if (verdict === undefined || verdict instanceof Problem) throw new Error(facts);
    expect(verdict.version, facts).toBe(one.version);
    expect(verdict.replayed, facts).toBe(true);
  }
}

/** In each shard every write has a revision of its own, and a key's versions only grow. */
async function checkVersions(writers: readonly CrashWriter[]): Promise<void> {
  const used = Array.from({ length: shards }, () => new Map<number, Acked>());
  for (const writer of writers) {
    const last = new Map<string, number>();
    for (const acked of writer.history) {
      if (acked.text === undefined) continue;
      const shard = used[shardOf(acked.key, shards)];
      const twice = JSON.stringify({ seed, acked, other: shard?.get(acked.version) });
      expect(shard?.has(acked.version), twice).toBe(false);
      shard?.set(acked.version, acked);
      expect(acked.version, twice).toBeGreaterThan(last.get(acked.key) ?? 0);
      last.set(acked.key, acked.version);
    }
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type BatchRead, SpaceHttp } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { startServe, temporaryFolder } from "../support/serve.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Date.now() % 2 ** 32);
const count = 50_000;
const tags = 100;
const isolates = 4;
const maxStalenessMs = 1_000;

test("CO9 one tag of 50,000 keys is invalidated by one log entry in each shard: its 500 keys are read anew on four isolates, all others are hits", async () => {
  console.log(`tags test: seed ${seed} (WARP_TEST_SEED repeats its choices)`);
  const random = seeded(seed);
  const chosen = random.below(tags);
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path, ["--isolates", String(isolates)]);
  try {
    const spaces = served.urls.map((url) => new SpaceHttp(url, "tags"));
    const [first] = spaces;
    if (first === undefined) throw new Error("no isolate");
    await first.create({ shards: 4 });
    await first.register("k*", { maxStalenessMs });
    const records = Array.from({ length: count }, (_, n) => {
      return `${JSON.stringify({ key: `k${n}`, json: n, tags: [`tag-${n % tags}`] })}\n`;
    });
    expect(await first.import(records.join(""))).toEqual({
      done: { lines: count, imported: count, failed: 0 },
    });

    // Every isolate reads all of them, so that each has them in its memory.
    const all = Array.from({ length: count }, (_, n) => n);
    await Promise.all(spaces.map((space) => readAll(space, all)));
    const tagged = all.filter((n) => n % tags === chosen);
    for (const [at, space] of spaces.entries()) {
      expect(tally(await readAll(space, tagged)), `isolate ${at} has them`).toEqual({ hit: tagged.length });
    }

    const before = await revisions(first);
    await first.post("/invalidate", { tags: [`tag-${chosen}`] });
    const answeredAt = performance.now();
    expect(await revisions(first), "one entry in each shard's log").toEqual(before.map((one) => one + 1));

    await sleep(Math.max(0, maxStalenessMs - (performance.now() - answeredAt)));
    for (const [at, space] of spaces.entries()) {
      const facts = `isolate ${at}, tag ${chosen}, seed ${seed}`;
      expect(tally(await readAll(space, tagged)), facts).toEqual({ miss: tagged.length });
      expect(tally(await readAll(space, tagged)), `${facts}: kept again`).toEqual({ hit: tagged.length });
      const others = all.filter((n) => n % tags !== chosen);
      expect(tally(await readAll(space, others)), `${facts}: the others`).toEqual({ hit: others.length });
    }
    expect(await revisions(first), "reads write nothing").toEqual(before.map((one) => one + 1));
  } finally {
    await served.stop();
  }
}, 120_000);

/** Reads the keys of these numbers; each value must be its number. */
async function readAll(space: SpaceHttp, numbers: readonly number[]): Promise<BatchRead[]> {
  const reads: BatchRead[] = [];
  for (let start = 0; start < numbers.length; start += 1_000) {
    const wanted = numbers.slice(start, start + 1_000);
    const some = await space.getMany(wanted.map((n) => `k${n}`));
    expect(some.map(({ json }) => json)).toEqual(wanted);
    reads.push(...some);
  }
  return reads;
}

/** How many of the reads came from where. */
function tally(reads: readonly BatchRead[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { cache } of reads) counts[cache] = (counts[cache] ?? 0) + 1;
  return counts;
}

async function revisions(space: SpaceHttp): Promise<number[]> {
  const { usage } = (await space.json("")) as { usage: { shards: { revision: string }[] } };
  return usage.shards.map(({ revision }) => Number(revision.split(".")[1]));
}

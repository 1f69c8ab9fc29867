import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { samplesOf } from "../metrics/samples.ts";
import { type BatchRead, SpaceHttp } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Date.now() % 2 ** 32);
const isolates = 4;
const maxStalenessMs = 1_000;

interface Case {
  readonly shards: number;
  readonly count: number;
  readonly tags: number;
}

test("CO9 one tag of 50,000 keys under 100 tags is invalidated by one log entry: its 500 keys are read anew on four isolates, all others are hits", async () => {
  await invalidateOne({ shards: 1, count: 50_000, tags: 100 });
}, 120_000);

test("CO9 a tag whose keys lie in four shards is invalidated by one log entry in each", async () => {
  await invalidateOne({ shards: 4, count: 8_000, tags: 20 });
}, 120_000);

async function invalidateOne({ shards, count, tags }: Case): Promise<void> {
  console.log(`tags test: seed ${seed} (WARP_TEST_SEED repeats its choices)`);
  const chosen = seeded(seed).below(tags);
  const all = Array.from({ length: count }, (_, n) => n);
  const tagged = all.filter((n) => n % tags === chosen);
  const others = all.filter((n) => n % tags !== chosen);
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path, ["--isolates", String(isolates)], {
    WARP_METRICS_INTERVAL_MS: "100",
  });
  try {
    const spaces = served.urls.map((url) => new SpaceHttp(url, "tags"));
    const [first] = spaces;
    if (first === undefined) throw new Error("no isolate");
    await first.create({ shards });
    await first.register("k*", { maxStalenessMs });
    const records = all.map((n) => {
      return `${JSON.stringify({ key: `k${n}`, json: n, tags: [`tag-${n % tags}`] })}\n`;
    });
    expect(await first.import(records.join(""))).toEqual({
      done: { lines: count, imported: count, failed: 0 },
    });

    // Every isolate reads all of them, so that each has them in its memory.
    await Promise.all(spaces.map((space) => readAll(space, all)));
    for (const [at, space] of spaces.entries()) {
      expect(tally(await readAll(space, tagged)), `isolate ${at} has them`).toEqual({ hit: tagged.length });
    }

    const before = await logs(first);
    await counted(served, before);
    await first.post("/invalidate", { tags: [`tag-${chosen}`] });
    const answeredAt = performance.now();
    const once = before.map(({ revision, entries }) => ({ revision: revision + 1, entries: entries + 1 }));
    expect(once).toHaveLength(shards);
    expect(await logs(first), "one entry in the log of each shard").toEqual(once);

    let fresh = 0;
    for (const [at, space] of spaces.entries()) {
      // The isolate that was asked knows at once, the others within the bound.
      if (at === 1) await sleep(Math.max(0, maxStalenessMs - (performance.now() - answeredAt)));
      const facts = `isolate ${at}, tag ${chosen}, seed ${seed}`;
      expect(tally(await readAll(space, tagged)), facts).toEqual({ miss: tagged.length });
      fresh += tagged.length;
      expect(tally(await readAll(space, tagged)), `${facts}: kept again`).toEqual({ hit: tagged.length });
      expect(tally(await readAll(space, others)), `${facts}: the others`).toEqual({ hit: others.length });
    }
    expect(await logs(first), "reads write nothing").toEqual(once);
    await counted(served, once);
    console.log(
      `tags test: ${count} keys under ${tags} tags in shards: ${shards}; log entries for the invalidation of one tag: ${sum(once) - sum(before)}; on ${isolates} isolates ${fresh} reads of its ${tagged.length} keys were fresh, ${isolates * others.length} reads of other keys were hits`,
    );
  } finally {
    await served.stop();
  }
}

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

/** The head of a shard's log and how many entries it holds. */
interface Log {
  readonly revision: number;
  readonly entries: number;
}

async function logs(space: SpaceHttp): Promise<Log[]> {
  const { usage } = (await space.json("")) as {
    usage: { shards: { revision: string; logEntries: number }[] };
  };
  return usage.shards.map(({ revision, logEntries }) => ({
    revision: Number(revision.split(".")[1]),
    entries: logEntries,
  }));
}

function sum(all: readonly Log[]): number {
  return all.reduce((total, { revision }) => total + revision, 0);
}

/** Waits until the metrics say as many entries as the logs have; each shard reports behind its calls. */
async function counted(served: Served, wanted: readonly Log[]): Promise<void> {
  let told: number | undefined;
  await eventually(async () => {
    await new SpaceHttp(served.url, "tags").lines("/export?prefix=nothing");
    const answer = await fetch(`${served.url}/metrics`);
    told = samplesOf(await answer.text()).get("warp_shard_log_entries_total");
    return told === sum(wanted);
  });
  expect(told, "log entries by the metrics").toBe(sum(wanted));
}

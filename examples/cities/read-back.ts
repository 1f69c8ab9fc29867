import type { CityRecord } from "./cities.ts";
import type { Isolate } from "./http.ts";
import { Progress } from "./progress.ts";

/** What reading all keys back found. */
export interface ReadBack {
  /** Keys whose value was not the source's, both times. */
  readonly wrong: ReadonlySet<string>;
  /** Second readings that came from an isolate's L1. */
  readonly hits: number;
  readonly seconds: number;
  /** The version of each key. */
  readonly versions: ReadonlyMap<string, number>;
}

/** One verdict of a batch of gets. */
interface Got {
  readonly key: string;
  readonly version: number;
  readonly json?: unknown;
  readonly cache: string;
}

const keysPerBatch = 250;
const readersPerIsolate = 2;

/**
 * Reads every key twice, in batches, half of them at each isolate: the first time it comes from the shard, the second time from the
 * isolate's L1. Compares every value with its source.
 */
export async function readBack(
  isolates: readonly Isolate[],
  space: string,
  records: readonly CityRecord[],
): Promise<ReadBack> {
  const progress = new Progress("read back", records.length);
  const share = Math.ceil(records.length / isolates.length);
  const startedAt = performance.now();
  const versions = new Map<string, number>();
  const wrong = new Set<string>();
  let hits = 0;
  let done = 0;

  const readTwice = async (isolate: Isolate, part: readonly CityRecord[]): Promise<void> => {
    const first = await getBatch(isolate, space, part);
    const second = await getBatch(isolate, space, part);
    for (const [index, record] of part.entries()) {
      const again = second[index];
      if (again?.cache === "hit") hits++;
      versions.set(record.key, again?.version ?? 0);
      if (isSource(first[index], record) && isSource(again, record)) continue;
      wrong.add(record.key);
      console.error(`\nwrong: ${record.key}: ${JSON.stringify([first[index], again])}`);
    }
    done += part.length;
    progress.show(done);
  };

  const work = isolates.flatMap((isolate, index) => {
    const mine = records.slice(index * share, (index + 1) * share);
    let next = 0;
    return Array.from({ length: readersPerIsolate }, async () => {
      while (next < mine.length) {
        const start = next;
        next += keysPerBatch;
        await readTwice(isolate, mine.slice(start, start + keysPerBatch));
      }
    });
  });
  await Promise.all(work);
  progress.end();
  return { wrong, hits, seconds: (performance.now() - startedAt) / 1_000, versions };
}

async function getBatch(
  isolate: Isolate,
  space: string,
  part: readonly CityRecord[],
): Promise<readonly Got[]> {
  const operations = part.map(({ key }) => ({ op: "get", key }));
  const { body } = await isolate.call("POST", `/v1/${space}/batch`, JSON.stringify({ operations }));
  return (JSON.parse(body) as { results: Got[] }).results;
}

function isSource(got: Got | undefined, { key, text }: CityRecord): boolean {
  return got?.key === key && JSON.stringify(got.json) === text;
}

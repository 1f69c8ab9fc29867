import type { CityRecord } from "./cities.ts";
import type { Isolate } from "./http.ts";
import { Progress } from "./progress.ts";

/** What a pass over all keys found. */
export interface Pass {
  readonly right: number;
  /** Answers that came from an isolate's L1. */
  readonly hits: number;
  readonly seconds: number;
  /** The version of each key. */
  readonly versions: ReadonlyMap<string, number>;
}

interface BatchAnswer {
  readonly results: readonly {
    readonly key: string;
    readonly version: number;
    readonly json?: unknown;
    readonly cache: string;
  }[];
}

const keysPerBatch = 250;
const readersPerIsolate = 2;

/** Reads every key once, in batches, half of them at each isolate, and compares every value with its source. */
export async function readBack(
  label: string,
  isolates: readonly Isolate[],
  space: string,
  records: readonly CityRecord[],
): Promise<Pass> {
  const progress = new Progress(label, records.length);
  const share = Math.ceil(records.length / isolates.length);
  const startedAt = performance.now();
  const versions = new Map<string, number>();
  let right = 0;
  let hits = 0;
  let done = 0;

  const read = async (isolate: Isolate, part: readonly CityRecord[]): Promise<void> => {
    const operations = part.map(({ key }) => ({ op: "get", key }));
    const { body } = await isolate.call("POST", `/v1/${space}/batch`, JSON.stringify({ operations }));
    const { results } = JSON.parse(body) as BatchAnswer;
    for (const [index, { key, text }] of part.entries()) {
      const result = results[index];
      if (result?.cache === "hit") hits++;
      versions.set(key, result?.version ?? 0);
      if (result?.key === key && JSON.stringify(result.json) === text) right++;
      else console.error(`\nwrong: ${key}: ${JSON.stringify(result)}, should be ${text}`);
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
        await read(isolate, mine.slice(start, start + keysPerBatch));
      }
    });
  });
  await Promise.all(work);
  progress.end();
  return { right, hits, seconds: (performance.now() - startedAt) / 1_000, versions };
}

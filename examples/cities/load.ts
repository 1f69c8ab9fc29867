import type { CityRecord } from "./cities.ts";
import { Expectation } from "./expectation.ts";
import { type Isolate, keyPath } from "./http.ts";
import { shuffled, zipf } from "./zipf.ts";

/** What a load found. */
export interface Load {
  readonly reads: number;
  readonly writes: number;
  readonly wrong: number;
  /** Reads by `Warp-Cache`: hit, miss, … */
  readonly cache: ReadonlyMap<string, number>;
  /** Milliseconds of each read, ascending. */
  readonly latencies: Float64Array;
  readonly seconds: number;
  /** What keys must be at after it, as far as it has looked at them. */
  readonly left: ReadonlyMap<string, Pick<Expectation, "newest">>;
}

/** How a load is run. */
export interface LoadOptions {
  readonly seconds: number;
  /** Keep-alive connections at each isolate. */
  readonly connections: number;
  /** One in so many calls is an update. */
  readonly updateEvery: number;
  /** The version of each key before the load. */
  readonly versions: ReadonlyMap<string, number>;
}

/** Reads keys by Zipf's law at all isolates, updates a few, and checks every value read. */
export async function runLoad(
  isolates: readonly Isolate[],
  space: string,
  records: readonly CityRecord[],
  options: LoadOptions,
): Promise<Load> {
  const ranked = shuffled(records);
  const rank = zipf(ranked.length);
  const expected = new Map<string, Expectation>();
  const cache = new Map<string, number>();
  const latencies: number[] = [];
  let writes = 0;
  let wrong = 0;

  const expectationOf = ({ key, text }: CityRecord): Expectation => {
    let expectation = expected.get(key);
    if (expectation === undefined) {
      expectation = new Expectation(options.versions.get(key) ?? 0, text);
      expected.set(key, expectation);
    }
    return expectation;
  };

  const read = async (isolate: Isolate, index: number, record: CityRecord): Promise<void> => {
    const startedAt = performance.now();
    const check = expectationOf(record).reading(index, startedAt);
    const answer = await isolate.call("GET", keyPath(space, record.key));
    latencies.push(performance.now() - startedAt);
    const how = String(answer.headers["warp-cache"]);
    cache.set(how, (cache.get(how) ?? 0) + 1);
    const problem = check(Number(answer.headers["warp-version"]), answer.body);
    if (problem === undefined) return;
    wrong++;
    console.error(`\nwrong: ${record.key}: ${problem}`);
  };

  const update = async (isolate: Isolate, record: CityRecord): Promise<void> => {
    const expectation = expectationOf(record);
    if (expectation.writing) return; // one at a time, so that each version's value is known
    const { city, key } = record;
    const next = JSON.stringify({ ...city, population: city.population + ++writes });
    expectation.begin(next);
    const answer = await isolate.call("PUT", keyPath(space, key), next);
    expectation.acknowledge(Number(answer.headers["warp-version"]), next, performance.now());
  };

  const startedAt = performance.now();
  const until = startedAt + options.seconds * 1_000;
  const client = async (isolate: Isolate, index: number): Promise<void> => {
    for (let calls = Math.floor(Math.random() * options.updateEvery); performance.now() < until; calls++) {
      const record = ranked[rank()];
      if (record === undefined) continue;
      if (calls % options.updateEvery === 0) await update(isolate, record);
      else await read(isolate, index, record);
    }
  };
  await Promise.all(
    isolates.flatMap((isolate, index) =>
      Array.from({ length: options.connections }, () => client(isolate, index)),
    ),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    reads: latencies.length,
    writes,
    wrong,
    cache,
    latencies: Float64Array.from(latencies).sort(),
    seconds,
    left: expected,
  };
}

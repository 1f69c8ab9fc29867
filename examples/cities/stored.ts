import type { CityRecord } from "./cities.ts";
import type { Isolate } from "./http.ts";
import { Progress } from "./progress.ts";
import type { Redis } from "./redis.ts";

/** What a key must be at. */
export interface Expected {
  readonly version: number;
  readonly text: string;
}

interface Outbox {
  readonly entries: number;
  readonly lagMs: number;
  readonly error?: { readonly code: string; readonly message: string };
}

const keysPerRead = 500;
const patienceMs = 60_000;

/** Waits until the storage has confirmed all that was written; gives how long that took, in seconds. */
export async function confirmed(isolate: Isolate, space: string): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const { body } = await isolate.call("GET", `/v1/${space}`);
    const { outbox } = (JSON.parse(body) as { usage: { outbox?: Outbox } }).usage;
    if (outbox?.entries === 0) return (performance.now() - startedAt) / 1_000;
    if (performance.now() - startedAt > patienceMs) {
      throw new Error(`the storage is not up to date: ${JSON.stringify(outbox)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Reads every key from Redis itself, as any other program could. Gives the keys whose value or version is not what it must be. */
export async function storedWrong(
  redis: Redis,
  space: string,
  records: readonly CityRecord[],
  expected: (record: CityRecord) => Expected,
): Promise<ReadonlySet<string>> {
  const progress = new Progress("read Redis", records.length);
  const wrong = new Set<string>();
  for (let start = 0; start < records.length; start += keysPerRead) {
    const part = records.slice(start, start + keysPerRead);
    const forms = await command(redis, ["MGET", ...part.map(({ key }) => `warp:{${space}}:v:${key}`)]);
    for (const [index, record] of part.entries()) {
      const found = read(forms[index] ?? null);
      const { version, text } = expected(record);
      if (found?.version === version && found.text === text) continue;
      wrong.add(record.key);
      console.error(
        `\nwrong in Redis: ${record.key}: ${JSON.stringify(found)}, should be ${version}: ${text}`,
      );
    }
    progress.show(start + part.length);
  }
  progress.end();
  return wrong;
}

/** One command over the REST surface, without any client. */
async function command(redis: Redis, words: readonly string[]): Promise<readonly (string | null)[]> {
  const answer = await fetch(redis.url, {
    method: "POST",
    headers: { Authorization: `Bearer ${redis.token}` },
    body: JSON.stringify(words),
  });
  const { result, error } = (await answer.json()) as { result?: (string | null)[]; error?: string };
  if (result === undefined) throw new Error(`Redis said ${error}`);
  return result;
}

/** `warp1;epoch;version;modified;ends;type;tags;value` with the value in base64. */
function read(form: string | null): Expected | undefined {
  const [mark, , version, , , , , value] = form?.split(";") ?? [];
  if (mark !== "warp1" || value === undefined) return undefined;
  return { version: Number(version), text: Buffer.from(value, "base64").toString("utf8") };
}

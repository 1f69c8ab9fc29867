import type { BedControl } from "../../../scripts/redis-bridge/bed-control.ts";

/** What the storage has under a key, read past Warp and past its surface. */
export interface StoredValue {
  readonly epoch: string;
  readonly version: number;
  readonly value: number;
}

/** The storage of one space, as another program sees it. */
export class StoredSpace {
  readonly #redis: BedControl;
  readonly #prefix: string;

  constructor(redis: BedControl, space: string) {
    this.#redis = redis;
    this.#prefix = `warp:{${space}}:v:`;
  }

  /** What is there of these keys; null: nothing. */
  async read(keys: readonly string[]): Promise<ReadonlyMap<string, StoredValue | null>> {
    const found = new Map<string, StoredValue | null>();
    for (let from = 0; from < keys.length; from += 500) {
      const some = keys.slice(from, from + 500);
      const texts = (await this.#redis.text("MGET", ...some.map((key) => this.#prefix + key))) as (
        | string
        | null
      )[];
      for (const [at, key] of some.entries()) {
        const text = texts[at] ?? null;
        found.set(key, text === null ? null : readEnvelope(text));
      }
    }
    return found;
  }

  /** All keys that have a value there. */
  async keys(): Promise<readonly string[]> {
    const names = new Set<string>();
    let cursor = "0";
    do {
      // Braces mean nothing in Redis's patterns.
      const scan = ["SCAN", cursor, "MATCH", `${this.#prefix}*`, "COUNT", "1000"];
      const [next, page] = (await this.#redis.text(...scan)) as [string, string[]];
      for (const name of page) names.add(name.slice(this.#prefix.length));
      cursor = next;
    } while (cursor !== "0");
    return [...names];
  }
}

function readEnvelope(text: string): StoredValue {
  const [mark, epoch = "", version, , , , , value = ""] = text.split(";");
  if (mark !== "warp1") throw new Error(`not of Warp: ${text}`);
  return { epoch, version: Number(version), value: Number(Buffer.from(value, "base64").toString()) };
}

/** What Redis noted of the values that a space's batches set: one list for each batch, in Redis's order. */
export function valuesSet(
  monitored: readonly string[],
  space: string,
): readonly (readonly { readonly key: string; readonly version: number }[])[] {
  const prefix = `warp:{${space}}:`;
  const batches: { key: string; version: number }[][] = [];
  let batch: { key: string; version: number }[] = [];
  for (const line of monitored) {
    // Redis quotes as C does; neither names nor forms have anything in them that it would have to escape.
    const [command = "", ...words] = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) => word);
    // Scripts' own commands, not the call with its arguments.
    if (!line.includes(" lua]")) continue;
    const name = command.toUpperCase();
    if (name === "MSET" || name === "SET") {
      for (let at = 0; at + 1 < words.length; at += 2) {
        const [key = "", form = ""] = [words[at], words[at + 1]];
        if (!key.startsWith(`${prefix}v:`) || !form.startsWith("warp1;")) continue;
        batch.push({ key: key.slice(prefix.length + 2), version: Number(form.split(";")[2]) });
      }
    } else if (name === "HSET" && words[0] === `${prefix}pos`) {
      if (batch.length > 0) batches.push(batch);
      batch = [];
    }
  }
  return batches;
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Seeded } from "../seeded.ts";
import type { IsolateNode } from "../twin/isolate.ts";
import type { StoredSpace } from "./stored.ts";

/** Reads keys again and again, and says where a version is lower than one that was seen before by the same reader. */
export class Onlookers {
  readonly violations: string[] = [];
  /** Values that were seen, and reads that failed, by code. */
  readonly seen = { storage: 0, isolates: 0 };
  readonly failed = new Map<string, number>();
  readonly #keys: readonly string[];
  readonly #random: Seeded;

  constructor(keys: readonly string[], random: Seeded) {
    this.#keys = keys;
    this.#random = random;
  }

  /** Asks one isolate. */
  async ofIsolate(isolate: IsolateNode, isOver: () => boolean): Promise<void> {
    const highest = new Map<string, number>();
    while (!isOver()) {
      const keys = Array.from({ length: 20 }, () => this.#random.pick(this.#keys));
      const answer = await isolate.call({ do: "getMany", keys, timeoutMs: 3_000 });
      if (!answer.ok) {
        this.failed.set(answer.code, (this.failed.get(answer.code) ?? 0) + 1);
        await sleep(20);
        continue;
      }
      for (const { key, value, version, stale } of answer.seen) {
        this.seen.isolates++;
        if (value !== null && !stale) this.#judge(highest, isolate.name, key, version);
      }
    }
  }

  /** Looks into the storage. */
  async ofStorage(stored: StoredSpace, isDown: () => boolean, isOver: () => boolean): Promise<void> {
    const highest = new Map<string, number>();
    while (!isOver()) {
      await sleep(50);
      if (isDown()) continue;
      const some = Array.from({ length: 100 }, () => this.#random.pick(this.#keys));
      const found = await stored.read(some).catch(() => new Map());
      for (const [key, one] of found) {
        if (one === null) continue;
        this.seen.storage++;
        this.#judge(highest, "the storage", key, one.version);
      }
    }
  }

  #judge(highest: Map<string, number>, who: string, key: string, version: number): void {
    const before = highest.get(key) ?? 0;
    if (version < before) this.violations.push(`${who}: ${key} had version ${before}, then ${version}`);
    else highest.set(key, version);
  }
}

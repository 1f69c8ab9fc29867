import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../../../scripts/redis-bridge/faults.ts";
import type { LocalRedis } from "../../../scripts/redis-bridge/local-redis.ts";
import type { Seeded } from "../seeded.ts";
import type { Bed } from "../twin/bed.ts";

/** What goes wrong around a storage, and how often it did. */
export class Weather {
  readonly counts = new Map<string, number>();
  readonly #redis: LocalRedis;
  readonly #bed: Bed;
  readonly #objects: readonly { readonly space: string; readonly shard: number }[];
  readonly #random: Seeded;
  #isDown = false;

  constructor(
    redis: LocalRedis,
    bed: Bed,
    objects: readonly { readonly space: string; readonly shard: number }[],
    random: Seeded,
  ) {
    this.#redis = redis;
    this.#bed = bed;
    this.#objects = objects;
    this.#random = random;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Answers are delayed and lost, requests are lost, refused and carried out late; objects are aborted. */
  async run(isOver: () => boolean): Promise<void> {
    await Promise.all([this.#rain(isOver), this.#aborts(isOver)]);
  }

  async #rain(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(200 + this.#random.below(600));
      const fault = this.#fault(this.#random.below(12));
      this.#count(fault.kind);
      await this.#redis.fault({ ...fault, share: 0.5, times: 1 + this.#random.below(4) });
    }
  }

  async #aborts(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(400 + this.#random.below(1_600));
      const { space, shard } = this.#random.pick(this.#objects);
      this.#count("object aborted");
      await this.#bed.abortIn(space, shard).catch(() => undefined);
    }
  }

  /** Kills the server with -9 and starts it again on its files after a while. */
  async killRedis(): Promise<void> {
    this.#count("redis killed");
    this.#isDown = true;
    await this.#redis.server("kill");
    await sleep(200 + this.#random.below(1_500));
    await this.#redis.server("start");
    this.#isDown = false;
  }

  #fault(dice: number): Fault {
    const ms = 20 + this.#random.below(400);
    if (dice < 3) return { kind: "delay", ms };
    if (dice < 5) return { kind: "dropAfter" };
    if (dice < 6) return { kind: "dropBefore" };
    if (dice < 7) return { kind: "status", status: 503 };
    if (dice < 8) return { kind: "slow", ms };
    // By then what was sent in its place has come, and more.
    return { kind: "late", ms: 300 + 5 * ms };
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

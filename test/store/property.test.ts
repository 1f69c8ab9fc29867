import { describe, expect, test } from "vitest";
import { memoryPersistence } from "../../src/store/memory-persistence.ts";
import type { WarpStore } from "../../src/store/types.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { type Page, StoreBed } from "./bed.ts";

const keys = ["card:a", "card:b", "card:c", "card:d", "card:e", "else"];

/** What a page was told and may not be told otherwise. */
class Witness {
  /** The newest version that was shown of each key. */
  readonly #shown = new Map<string, number>();
  /** Acknowledged writes of the page's own: the revision up to which what is shown of a key must be known. */
  readonly #owns = new Map<string, number>();
  readonly #isGone = new Map<string, boolean>();
  #failure: unknown;
  readonly #bed: StoreBed;
  readonly #store: WarpStore;
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(bed: StoreBed, store: WarpStore, values: ReadonlyMap<string, unknown>) {
    this.#bed = bed;
    this.#store = store;
    this.#values = values;
    store.subscribe(undefined, () => {
      try {
        this.look();
      } catch (error) {
        this.#failure ??= error;
      }
    });
  }

  acknowledged(key: string, revision: number, isDelete: boolean): void {
    if (revision < (this.#owns.get(key) ?? 0)) return;
    this.#owns.set(key, revision);
    this.#isGone.set(key, isDelete);
  }

  look(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const all = this.#store.snapshot();
    for (const key of keys) {
      const entry = this.#store.get(key);
      if (all.get(key) !== entry) throw new Error(`${key}: the map of all has another entry`);
      const own = this.#owns.get(key) ?? 0;
      if (entry === undefined) {
        const { keys: present, log } = this.#bed.space.shardOf(key);
        const isDeleted = log.some(
          ({ key: one, revision, kind }) => one === key && revision >= own && kind !== "set",
        );
        if (own > 0 && !this.#isGone.get(key) && present.has(key) && !isDeleted && !this.isPending(key)) {
          throw new Error(`${key}: one's own write ${own} is gone`);
        }
        continue;
      }
      if (entry.pending) continue;
      if (entry.version < own)
        throw new Error(`${key}: ${entry.version} is shown after one's own write ${own}`);
      const before = this.#shown.get(key) ?? 0;
      if (entry.version < before) throw new Error(`${key}: ${entry.version} is shown after ${before}`);
      this.#shown.set(key, entry.version);
      const value = this.#values.get(`${key}@${entry.version}`);
      if (value !== entry.value) {
        throw new Error(`${key}@${entry.version} is ${String(entry.value)}, was ${String(value)}`);
      }
    }
  }

  /** Deletes that are not confirmed hide a key. */
  pendingDeletes = new Map<string, number>();
  isPending(key: string): boolean {
    return (this.pendingDeletes.get(key) ?? 0) > 0;
  }
}

interface Opened {
  readonly page: Page;
  readonly witness: Witness;
}

class Round {
  readonly bed: StoreBed;
  readonly #random: Seeded;
  readonly #values = new Map<string, unknown>();
  readonly #persistence = memoryPersistence();
  readonly #pages: Opened[] = [];
  #count = 0;

  constructor(random: Seeded) {
    this.#random = random;
    this.bed = new StoreBed(1 + random.below(3));
    const { write } = this.bed.space;
    this.bed.space.write = (key, value, ...rest) => {
      const done = write.call(this.bed.space, key, value, ...rest);
      this.#values.set(`${key}@${done.version}`, value);
      return done;
    };
  }

  async run(steps: number): Promise<void> {
    await this.#open();
    await this.#open();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.bed.clock.settle();
      for (const { witness } of this.#pages) witness.look();
    }
    await this.#end();
  }

  async #open(): Promise<void> {
    const page = this.bed.page({ persistence: this.#persistence });
    const witness = new Witness(this.bed, page.store, this.#values);
    page.client.isAuto = false;
    page.client.isSlow = this.#random.below(2) === 0;
    if ((await page.store.restoreSession()) === undefined) await page.store.init({ session: "ada" });
    this.#pages.push({ page, witness });
  }

  #value(): unknown {
    this.#count++;
    return this.#random.below(5) === 0 ? `${this.#count} ${"long ".repeat(12)}` : this.#count;
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const at = random.below(this.#pages.length);
    const { page, witness } = this.#pages[at] as Opened;
    const { client, store } = page;
    const key = random.pick(keys);
    switch (random.below(16)) {
      case 0:
      case 1:
        return void this.bed.space.write(key, random.below(3) === 0 ? undefined : this.#value());
      case 2:
      case 3:
        return this.#own(page, witness, random.pick(keys.slice(0, -1)));
      case 4:
      case 5:
      case 6:
        for (const watch of client.watches) {
          if (client.status === "online") watch.step(random.below(this.bed.space.shards.length));
        }
        return;
      case 7: {
        // What was told arrives, some of it.
        const isFew = random.below(2) === 0;
        for (const watch of client.watches) for (let n = 0; watch.arrive() && !(isFew && n >= 1); n++);
        return client.calls[random.below(Math.max(1, client.calls.length))]?.carryOut();
      }
      case 8:
        return client.calls.splice(random.below(Math.max(1, client.calls.length)), 1)[0]?.run();
      case 9: {
        const call = client.calls.shift();
        // Carried out or not, the answer is lost: reads and writes alike.
        return call?.lost();
      }
      case 10:
        return client.go(client.status !== "online");
      case 11:
        if (random.below(3) === 0) this.bed.space.compact();
        return;
      case 12:
        return void (await this.bed.clock.advance(random.pick([10, 200, 250, 60_000])));
      case 13:
        return page.signal(random.pick(["visible", "hidden"]));
      case 14:
        for (const watch of client.watches) client.settleStatus(watch);
        return;
      default: {
        if (random.below(3) > 0) return;
        // A reload: in good order, or the page is just gone.
        if (random.below(2) === 0) await store.close();
        this.#pages.splice(at, 1);
        for (const watch of client.watches) watch.end();
        await this.#open();
      }
    }
  }

  #own({ store }: Page, witness: Witness, key: string): void {
    const random = this.#random;
    const options = random.below(4) === 0 ? { ifVersion: store.get(key)?.version ?? 0 } : {};
    const isDelete = random.below(3) === 0;
    if (isDelete) witness.pendingDeletes.set(key, (witness.pendingDeletes.get(key) ?? 0) + 1);
    const writing = isDelete ? store.delete(key, options) : store.set(key, this.#value(), options);
    writing.then(
      (written) => {
        if (isDelete && !("queued" in written)) {
          witness.pendingDeletes.set(key, (witness.pendingDeletes.get(key) ?? 0) - 1);
        }
        if (!("queued" in written)) {
          witness.acknowledged(key, written.revision, isDelete);
        }
      },
      () => isDelete && witness.pendingDeletes.set(key, (witness.pendingDeletes.get(key) ?? 0) - 1),
    );
  }

  async #end(): Promise<void> {
    const pump = async () => {
      for (const { page } of this.#pages) {
        page.client.isSlow = false;
        for (const watch of page.client.watches) watch.isSlow = false;
        if (page.client.status !== "online") page.client.go(true);
        page.client.pump();
        await this.bed.clock.settle();
      }
    };
    for (let round = 0; round < 20; round++) await pump();
    await this.bed.clock.advance(61_000);
    for (let round = 0; round < 20; round++) await pump();
    const settled = Object.entries(this.bed.space.state("card:"));
    for (const { page } of this.#pages) {
      const { store } = page;
      expect(store.status).toBe("live");
      expect([...store.snapshot()].map(([key, { value }]) => [key, value])).toEqual(settled);
      expect([...store.snapshot().values()].filter(({ stale, pending }) => stale || pending)).toEqual([]);
    }
    await this.bed.clock.advance(121_000);
    // What is kept is the state, too: a page that can reach nobody shows it.
    for (const { page } of this.#pages) await page.store.close();
    const last = this.bed.page({ persistence: this.#persistence });
    last.client.status = "offline";
    last.client.isAuto = false;
    expect(await last.store.restoreSession()).toBe("ada");
    expect([...last.store.snapshot()].map(([key, { value }]) => [key, value])).toEqual(settled);
  }
}

describe("whatever happens", () => {
  test("WA2 versions never go back, own writes stay, and in the end the store and what it kept are the state", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      try {
        await new Round(seeded(seed)).run(120);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
  });
});

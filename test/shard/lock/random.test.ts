import { expect, test } from "vitest";
import { host } from "#host";
import type { LockVerdict } from "../../../src/protocol/lock.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { LockShard, pollWord, wordOf } from "../../support/lock-shard.ts";
import { Durability, FailingStorage } from "../../support/lock-storage.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";

const names = ["a", "b", "c"];

interface Poll {
  readonly name: string;
  readonly owner: string;
  readonly ticket: string;
  word: string | undefined;
}

/** Callers of a shard whose storage refuses some writes and takes its time with the others. */
class Turmoil {
  readonly locks: LockShard;
  readonly #storage: Durability;
  readonly #random: Seeded;
  /** Whose each fence is. */
  readonly #fences = new Map<number, string>();
  readonly #wrong: string[] = [];
  readonly #held = new Map<string, { readonly name: string; readonly fence: number }>();
  readonly #places = new Map<string, { readonly name: string; readonly ticket: string }>();
  #polls: Poll[] = [];
  #owners = 0;
  answered = 0;
  undone = 0;

  constructor(locks: LockShard, storage: Durability, random: Seeded) {
    this.locks = locks;
    this.#storage = storage;
    this.#random = random;
  }

  static async make(raw: Sql, seed: number): Promise<Turmoil> {
    const storage = new Durability();
    const sql = new FailingStorage(raw);
    const locks = await new LockShard(sql, { durable: storage.durable }).create();
    sql.fails = (query) => query.startsWith("INSERT OR REPLACE INTO keys");
    return new Turmoil(locks, storage, seeded(seed));
  }

  step(): void {
    const random = this.#random;
    const steps: readonly (() => void)[] = [
      () => this.#acquire(),
      () => this.#acquire(),
      () => this.#poll(),
      () => this.#poll(),
      () => this.#release(),
      () => this.#claim(),
      // Undoes the group that it is in.
      () => void this.locks.bed.set("doomed", "1").catch(() => this.undone++),
      () => {
        this.#storage.isHeld = random.below(3) > 0;
      },
      () => this.#storage.next(),
    ];
    random.pick(steps)();
  }

  /** Everything that was begun comes to its end, and the invariants are looked at. */
  async quiet(): Promise<void> {
    this.#storage.isHeld = false;
    for (let rounds = 0; rounds < 12; rounds++) {
      while (this.#storage.waiting > 0) this.#storage.next();
      await this.locks.clock.settle();
    }
    expect(this.#wrong).toEqual([]);
    const live = this.locks.bed.sql.all<{ name: string; n: number }>(
      "SELECT CAST(name AS TEXT) AS name, count(*) AS n FROM locks WHERE ended_at IS NULL GROUP BY name",
    );
    for (const { name, n } of live) expect(n, `grants of ${name}`).toBe(1);
    for (const poll of this.#polls) {
      const { name, owner, ticket, word } = poll;
      const now = pollWord(await this.locks.poll(name, owner, ticket, 0));
      // Whoever still waits has nothing to hear of; and what was heard is so.
      if (word === undefined) expect({ ...poll, now: poll.word ?? now }).toMatchObject({ now: "waiting" });
      else if (word === "offered") expect({ ...poll, now }).not.toMatchObject({ now: "waiting" });
    }
    this.answered += this.#polls.filter(({ word }) => word === "offered").length;
    this.#polls = this.#polls.filter(({ word }) => word === undefined);
  }

  #acquire(): void {
    const name = this.#random.pick(names);
    const owner = `o${this.#owners++}`;
    const wish = this.locks.acquire(name, owner, { ttlMs: 3_600_000, waitMs: 3_600_000 });
    this.#hear(owner, name, this.locks.one(wish));
  }

  #hear(owner: string, name: string, verdict: Promise<LockVerdict>): void {
    verdict.then(
      (found) => {
        if (found.outcome === "fail") return;
        if (found.state === "waiting") this.#places.set(owner, { name, ticket: found.ticket });
        if (found.state !== "held") return;
        const other = this.#fences.get(found.fence) ?? owner;
        if (other !== owner) this.#wrong.push(`fence ${found.fence} of ${other} given to ${owner}`);
        this.#fences.set(found.fence, owner);
        this.#held.set(owner, { name, fence: found.fence });
        this.#places.delete(owner);
      },
      () => this.undone++,
    );
  }

  #poll(): void {
    const [owner, place] = this.#any(this.#places) ?? [];
    if (owner === undefined || place === undefined) return;
    const poll: Poll = { ...place, owner, word: undefined };
    this.#polls.push(poll);
    this.locks.poll(place.name, owner, place.ticket, 25_000).then(
      (reply) => {
        poll.word = pollWord(reply);
      },
      () => {
        poll.word = "broken";
      },
    );
  }

  #claim(): void {
    const offered = this.#polls.find(({ word }) => word === "offered");
    if (offered === undefined) return;
    this.#polls = this.#polls.filter((poll) => poll !== offered);
    this.answered++;
    const { name, owner, ticket } = offered;
    this.#hear(owner, name, this.locks.claim(name, owner, ticket));
  }

  #release(): void {
    const [owner, held] = this.#any(this.#held) ?? [];
    if (owner === undefined || held === undefined) return;
    this.#held.delete(owner);
    this.locks.one(this.locks.release(held.name, owner, held.fence)).then(
      (verdict) => {
        // It may have been claimed, and then be released, twice.
        const word = wordOf(verdict);
        if (word !== "ended" && word !== "lock_lost") this.#wrong.push(`release: ${word}`);
      },
      () => {
        this.undone++;
        this.#held.set(owner, held);
      },
    );
  }

  #any<V>(map: ReadonlyMap<string, V>): [string, V] | undefined {
    return map.size === 0 ? undefined : this.#random.pick([...map]);
  }
}

test("LK1 LK2 LK9 over 20 seeds of commits that take their time and groups that are undone nobody holds twice, and whoever waits hears", async () => {
  const totals = { answered: 0, undone: 0 };
  const from = Date.now() % 1_000_000;
  for (let seed = from; seed < from + 20; seed++) {
    await host.withSql(async (raw) => {
      const turmoil = await Turmoil.make(raw, seed);
      try {
        for (let round = 0; round < 8; round++) {
          for (let at = 0; at < 30; at++) {
            turmoil.step();
            if (at % 3 === 0) await turmoil.locks.clock.settle();
          }
          await turmoil.quiet();
          if (round % 5 === 4) await turmoil.locks.clock.advance(1_000);
        }
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      totals.answered += turmoil.answered;
      totals.undone += turmoil.undone;
    });
  }
  expect(totals.answered).toBeGreaterThan(200);
  expect(totals.undone).toBeGreaterThan(200);
}, 60_000);

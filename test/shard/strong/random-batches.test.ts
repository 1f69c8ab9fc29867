import { expect, it } from "vitest";
import { host } from "#host";
import { formatETag } from "../../../src/protocol/position.ts";
import type { Mutation, Precondition } from "../../../src/protocol/shard-api.ts";
import { fraction } from "../../../src/runtime/random.ts";
import { seeded } from "../../support/seeded.ts";
import { StrongBed, strongKeys } from "../../support/strong-bed.ts";

const keys = ["k1", "k2", "q1", "q2"];
const sessions = ["a", "b", "c"];
const seeds = 80;

/** A shard, sessions that hold copies, and batches whose operations stand on each other. */
class World {
  readonly #random;
  readonly #bed: StrongBed;
  /** What each session would serve: the versions of keys. */
  readonly #copies = new Map(sessions.map((session) => [session, new Map<string, number>()]));
  readonly #writes: ReturnType<StrongBed["mutate"]>[] = [];

  constructor(bed: StrongBed, seed: number) {
    this.#bed = bed;
    this.#random = seeded(seed);
  }

  /** `isOneNode`: all sessions are the writer's own, so that no quorum is ever met. */
  async begin(isOneNode: boolean): Promise<void> {
    for (const session of sessions) {
      await this.#bed.holder(session, { node: isOneNode ? "one-node" : session });
    }
  }

  async step(): Promise<void> {
    const session = this.#pick(sessions);
    const what = fraction(this.#random);
    if (what < 0.3) this.#writes.push(this.#bed.mutate(await this.#batch(), session));
    else if (what < 0.6) await this.#read(session, this.#pick(keys));
    else if (what < 0.85) this.#drop(session);
    else if (what < 0.92) await this.#bed.time.advance(this.#pick([10, 500, 3_000]));
    else await this.#renew(session);
    await this.#bed.time.settle();
    await this.check();
  }

  /** All sessions carry out what they are told, until nothing is under way. */
  async end(): Promise<void> {
    for (let second = 0; second < 30; second++) {
      for (const session of sessions) this.#drop(session);
      await this.#bed.time.advance(1_000);
      await this.check();
    }
    for (const { value } of this.#writes) expect(value).toHaveProperty("verdicts");
    expect(this.#bed.bed.sql.all("SELECT * FROM intents")).toEqual([]);
  }

  /** Nobody would serve what is not so any more. */
  async check(): Promise<void> {
    const { entries } = await this.#bed.bed.read(...keys);
    for (const [session, copies] of this.#copies) {
      if (!this.#isLive(session)) continue;
      for (const [key, version] of copies) {
        expect({ session, key, version }).toEqual({
          session,
          key,
          version: entries[keys.indexOf(key)]?.version ?? 0,
        });
      }
    }
  }

  async #batch(): Promise<Mutation[]> {
    const { epoch, entries } = await this.#bed.bed.read(...keys);
    return Array.from({ length: 1 + Math.floor(fraction(this.#random) * 4) }, (): Mutation => {
      const key = this.#pick(keys);
      const version = entries[keys.indexOf(key)]?.version ?? 0;
      const present: Precondition = { anyOf: version === 0 ? "*" : [formatETag(epoch, version)] };
      const when = this.#pick<Precondition | undefined>([undefined, undefined, { noneOf: "*" }, present]);
      const condition = when === undefined ? {} : { when };
      const opId = this.#bed.opId();
      const kind = fraction(this.#random);
      if (kind < 0.5) return this.#bed.setting(key, "x", condition);
      if (kind < 0.8) return { kind: "delete", opId, key, ...condition };
      if (kind < 0.9) return { kind: "invalidate", opId, key };
      return { kind: "invalidatePrefix", opId, prefix: this.#pick(["k", "q", ""]) };
    });
  }

  async #read(session: string, key: string): Promise<void> {
    const { held, entries } = await this.#bed.read(session, key);
    if (held?.includes(0)) this.#copies.get(session)?.set(key, entries[0]?.version ?? 0);
  }

  #drop(session: string): void {
    const copies = this.#copies.get(session);
    for (const { invalidation } of this.#bed.members.get(session)?.inbox ?? []) {
      for (const key of invalidation.keys) copies?.delete(key);
      for (const prefix of invalidation.prefixes) {
        for (const key of keys) if (key.startsWith(prefix)) copies?.delete(key);
      }
    }
    this.#bed.members.acknowledge(session);
  }

  async #renew(session: string): Promise<void> {
    this.#drop(session);
    // Past the end of a lease another tenure begins.
    if (!this.#isLive(session)) this.#copies.get(session)?.clear();
    await this.#bed.leases.grant(session);
  }

  #isLive(session: string): boolean {
    return this.#bed.leases.leaseUntilMs(session) > this.#bed.time.now();
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(fraction(this.#random) * list.length)] as T;
  }
}

it("ST2 ST7 random batches whose operations stand on each other leave no old copy behind, and all end", async () => {
  const statics = [strongKeys("k*"), strongKeys("q*", { quorum: 1 })];
  for (let seed = 1; seed <= seeds; seed++) {
    await host.withSql(async (sql) => {
      const world = new World(await new StrongBed(sql, { statics }).create(), seed);
      try {
        await world.begin(seed % 2 === 1);
        for (let step = 0; step < 60; step++) await world.step();
        await world.end();
      } catch (cause) {
        throw new Error(`seed ${seed}: ${String(cause)}`, { cause });
      }
    });
  }
}, 60_000);

import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { LockCommand, LockVerdict, LockWaitReply } from "../../../src/protocol/lock.ts";
import { isRefusal, type Mutation, type Refusal, type Verdict } from "../../../src/protocol/shard-api.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { clockRateMargin, clockStepMs } from "../../../src/runtime/limits.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { LockShard } from "../../support/lock-shard.ts";
import { MortalSql } from "../../support/mortal-sql.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";

const name = "{a}lock";
const key = "{a}key";
const ttlMs = 4_000;

/** One shard whose storage fails now and then, whose instances die, and whose answers get lost. */
class World {
  readonly shard: LockShard;
  readonly random: Seeded;
  readonly #raw: Sql;
  #sql: MortalSql;
  faults = true;
  /** Fences of accepted writes, in the order of their commits (versions). */
  readonly writes: { readonly fence: number; readonly version: number }[] = [];
  readonly grants: number[] = [];
  /** Refusals of writes that were answered while their holder could count on the lock. */
  readonly tooEarly: string[] = [];

  constructor(sql: Sql, random: Seeded) {
    this.#raw = sql;
    this.random = random;
    this.#sql = this.#instance();
    this.shard = new LockShard(this.#sql, { durable: () => this.#durable() });
  }

  #instance(): MortalSql {
    const sql = new MortalSql(this.#raw);
    sql.onWrite = () => {
      if (this.faults && this.chance(0.01)) throw new Error("database or disk is full");
    };
    return sql;
  }

  async #durable(): Promise<void> {
    const sql = this.#sql;
    await this.sleep(this.random.below(20));
    await sql.durable();
  }

  chance(probability: number): boolean {
    return this.random.below(10_000) < probability * 10_000;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.shard.clock.after(ms, () => resolve()));
  }

  /** The host's clock is set: by no more than two hosts' clocks may differ (assumption A2). */
  setClock(): void {
    this.shard.wallAheadMs = this.random.below(clockStepMs + 1);
  }

  /** The instance dies in the middle of whatever it does; another takes its place. */
  restart(): void {
    this.#sql.isDead = true;
    this.#sql = this.#instance();
    // It may run on another host, whose clock is another.
    this.setClock();
    this.shard.bed.restart({ sql: this.#sql });
  }

  /** Repeats a call until it is answered. Answers may get lost on the way. */
  async #persist<T>(call: () => Promise<T | Refusal>): Promise<T> {
    for (;;) {
      try {
        const answer = await Promise.race([call(), this.sleep(26_000).then(() => "late" as const)]);
        const isLost = this.faults && this.chance(0.05);
        if (answer !== "late" && !isLost && !isRefusal(answer as object)) return answer as T;
      } catch {
        // Once more, under the same op id.
      }
      await this.sleep(1 + this.random.below(200));
    }
  }

  async lock(command: LockCommand): Promise<LockVerdict> {
    const { bed } = this.shard;
    const reply = await this.#persist(() => bed.shard.lock({ ...bed.scope(), commands: [command] }));
    const verdict = (reply as { verdicts: readonly LockVerdict[] }).verdicts[0];
    if (verdict === undefined) throw new Error("no verdict");
    return verdict;
  }

  async poll(owner: string, ticket: string): Promise<LockVerdict> {
    const reply = await this.#persist(() => this.shard.poll(name, owner, ticket, 5_000));
    return (reply as LockWaitReply).verdict;
  }

  async write(fence: number, text: string): Promise<Verdict> {
    const { bed } = this.shard;
    const mutation: Mutation = {
      kind: "set",
      opId: bed.opId(),
      key,
      payload: { bytes: utf8(text), contentType: "text/plain" },
      guard: { lock: name, fence },
    };
    const reply = await this.#persist(() => bed.shard.mutate({ ...bed.scope(), mutations: [mutation] }));
    const verdict = (reply as { verdicts: readonly Verdict[] }).verdicts[0];
    if (verdict === undefined) throw new Error("no verdict");
    if (verdict.outcome === "ok") this.writes.push({ fence, version: verdict.version });
    return verdict;
  }

  opId(): string {
    return this.shard.bed.opId();
  }
}

/** Gets the lock, writes under it, and gives it back or forgets it; so many times. */
async function client(world: World, owner: string, rounds: number): Promise<void> {
  const { clock } = world.shard;
  for (let round = 0; round < rounds; round++) {
    const { fence, sentAtMs } = await acquire(world, owner);
    let validUntilMs = sentAtMs + ttlMs * (1 - clockRateMargin);
    world.grants.push(fence);
    for (let n = 1 + world.random.below(4); n > 0; n--) {
      const written = await world.write(fence, `${owner}/${round}`);
      if (written.outcome === "fail" && clock.now() < validUntilMs) {
        world.tooEarly.push(`${written.error.code} of ${fence}, ${validUntilMs - clock.now()} ms too early`);
      }
      // Now and then it is paused for longer than it has the lock, or uses it to the end.
      const leftMs = validUntilMs - clock.now();
      if (world.chance(0.4) && leftMs > 100) await world.sleep(leftMs - world.random.below(60));
      else await world.sleep(world.random.below(world.chance(0.1) ? 3 * ttlMs : 200));
      if (world.chance(0.3)) {
        const renewedAtMs = clock.now();
        const renewed = await world.lock({ kind: "renew", opId: world.opId(), name, owner, fence });
        if (renewed.outcome === "ok") validUntilMs = renewedAtMs + ttlMs * (1 - clockRateMargin);
      }
    }
    if (!world.chance(0.2)) await world.lock({ kind: "release", opId: world.opId(), name, owner, fence });
    await world.sleep(world.random.below(500));
  }
}

/** Gives the fence, and when the request that was granted had left at the latest. */
async function acquire(world: World, owner: string): Promise<{ fence: number; sentAtMs: number }> {
  const { clock } = world.shard;
  for (;;) {
    const opId = world.opId();
    let sentAtMs = clock.now();
    let verdict = await world.lock({
      kind: "acquire",
      opId,
      name,
      owner,
      as: "mutex",
      ttlMs,
      waitMs: 600_000,
    });
    for (;;) {
      if (verdict.outcome === "fail") break;
      if (verdict.state === "held")
        return { fence: verdict.fence, sentAtMs: sentAtMs + verdict.remainingMs - ttlMs };
      if (verdict.state === "ended") throw new Error("an end");
      const { ticket } = verdict;
      if (verdict.state === "offered") {
        sentAtMs = clock.now();
        const claimed = await world.lock({ kind: "claim", opId: world.opId(), name, owner, ticket });
        if (claimed.outcome === "ok") {
          verdict = claimed;
          continue;
        }
        expect(["lock_lost", "lock_waiting", "ticket_not_found"]).toContain(claimed.error.code);
      }
      sentAtMs = clock.now();
      verdict = await world.poll(owner, ticket);
    }
    expect(["ticket_not_found", "lock_lost"]).toContain(verdict.error.code);
  }
}

async function live(sql: Sql, seed: number): Promise<void> {
  const world = new World(sql, seeded(seed));
  world.faults = false;
  await Promise.all([world.shard.create(), world.shard.clock.advance(1_000)]);
  world.faults = true;
  const { clock } = world.shard;
  let running = 5;
  const clients = Array.from({ length: running }, (_, i) =>
    client(world, `c${i}`, 4).finally(() => {
      running--;
    }),
  );
  const all = Promise.all(clients);
  all.catch(() => {});
  const end = clock.now() + 600_000;
  while (running > 0 && clock.now() < end) {
    await clock.advance(100);
    if (world.chance(0.01)) world.restart();
    if (world.chance(0.05)) world.setClock();
  }
  world.faults = false;
  expect(running, `seed ${seed}: nobody waits for ever`).toBe(0);
  await all;
  const inOrder = world.writes.toSorted((a, b) => a.version - b.version).map(({ fence }) => fence);
  expect(inOrder, `seed ${seed}: no write under a fence after one under a higher fence`).toEqual(
    inOrder.toSorted((a, b) => a - b),
  );
  expect(world.tooEarly, `seed ${seed}: nobody loses a lock while it may count on it`).toEqual([]);
  expect(new Set(world.grants).size, `seed ${seed}: each fence is given once`).toBe(world.grants.length);
}

describe("locks and guards over a storage that fails", () => {
  it("LK1 LK2 LK6 LK7 LK14 in 30 worlds of 5 clients nobody writes under a fence that another's has passed, loses a lock too early, or is forgotten", {
    timeout: 120_000,
  }, async () => {
    for (let seed = 1; seed <= 30; seed++) await host.withSql((sql) => live(sql, seed));
  });
});

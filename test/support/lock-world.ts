import { expect } from "vitest";
import type { LockCommand, LockVerdict, LockWaitReply } from "../../src/protocol/lock.ts";
import { isRefusal, type Mutation, type Refusal, type Verdict } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { clockStepMs } from "../../src/runtime/coordination-limits.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { LockShard } from "./lock-shard.ts";
import { MortalSql } from "./mortal-sql.ts";
import type { Seeded } from "./seeded.ts";

/** What a client wants, and goes on wanting. */
export type Wanted = Omit<Extract<LockCommand, { kind: "acquire" }>, "kind" | "opId" | "waitMs">;

/** One shard whose storage fails now and then, whose instances die, and whose answers get lost. */
export class LockWorld {
  readonly shard: LockShard;
  readonly random: Seeded;
  readonly #raw: Sql;
  #sql: MortalSql;
  faults = true;
  /** Called with the database after each commit, and the time of its host. */
  readonly #committed: (sql: Sql, nowMs: number) => void;

  constructor(sql: Sql, random: Seeded, committed: (sql: Sql, nowMs: number) => void = () => {}) {
    this.#raw = sql;
    this.random = random;
    this.#committed = committed;
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
    this.#committed(this.#raw, this.shard.bed.nowMs);
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

  async poll(name: string, owner: string, ticket: string): Promise<LockVerdict> {
    const reply = await this.#persist(() => this.shard.poll(name, owner, ticket, 5_000));
    return (reply as LockWaitReply).verdict;
  }

  /** Sets a key under a lock. */
  async write(key: string, lock: string, fence: number): Promise<Verdict> {
    const { bed } = this.shard;
    const payload = { bytes: utf8(String(fence)), contentType: "text/plain" };
    const mutation: Mutation = { kind: "set", opId: bed.opId(), key, payload, guard: { lock, fence } };
    const reply = await this.#persist(() => bed.shard.mutate({ ...bed.scope(), mutations: [mutation] }));
    const verdict = (reply as { verdicts: readonly Verdict[] }).verdicts[0];
    if (verdict === undefined) throw new Error("no verdict");
    return verdict;
  }

  /** Acquires, however long it takes. Gives the fence, and when the request that was granted had left at the latest. */
  async acquire(wanted: Wanted): Promise<{ fence: number; sentAtMs: number }> {
    const { clock } = this.shard;
    const { name, owner, ttlMs } = wanted;
    for (;;) {
      let sentAtMs = clock.now();
      let verdict = await this.lock({ ...wanted, kind: "acquire", opId: this.opId(), waitMs: 600_000 });
      for (;;) {
        if (verdict.outcome === "fail") break;
        if (verdict.state === "held") {
          return { fence: verdict.fence, sentAtMs: sentAtMs + verdict.remainingMs - ttlMs };
        }
        if (verdict.state === "ended") throw new Error("an end");
        const { ticket } = verdict;
        if (verdict.state === "offered") {
          sentAtMs = clock.now();
          const claimed = await this.lock({ kind: "claim", opId: this.opId(), name, owner, ticket });
          if (claimed.outcome === "ok") {
            verdict = claimed;
            continue;
          }
          expect(["lock_lost", "lock_waiting", "ticket_not_found"]).toContain(claimed.error.code);
        }
        sentAtMs = clock.now();
        verdict = await this.poll(name, owner, ticket);
      }
      expect(["ticket_not_found", "lock_lost"]).toContain(verdict.error.code);
    }
  }

  opId(): string {
    return this.shard.bed.opId();
  }

  /** Lets clients live until all have ended, with faults; then without. Throws what one of them threw, and where one does not end within ten minutes. */
  async live(clients: () => readonly Promise<void>[]): Promise<void> {
    const { clock } = this.shard;
    this.faults = false;
    await Promise.all([this.shard.create(), clock.advance(1_000)]);
    this.faults = true;
    let running = 0;
    const all = Promise.all(
      clients().map((client) => {
        running++;
        return client.finally(() => {
          running--;
        });
      }),
    );
    all.catch(() => {});
    const endMs = clock.now() + 600_000;
    while (running > 0 && clock.now() < endMs) {
      await clock.advance(100);
      if (this.chance(0.01)) this.restart();
      if (this.chance(0.05)) this.setClock();
    }
    this.faults = false;
    if (running > 0) throw new Error(`${running} clients wait for ever`);
    await all;
  }
}

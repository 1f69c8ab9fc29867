import type {
  LockCommand,
  LockInfo,
  LockVerdict,
  LockWaitReply,
  ObserveReply,
} from "../../src/protocol/lock.ts";
import type { Refusal } from "../../src/protocol/shard-api.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { expectReply, ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

type Acquire = Extract<LockCommand, { kind: "acquire" }>;

/** A shard on a virtual clock, as callers of its locks see it. */
export class LockShard {
  readonly clock: VirtualClock;
  /** What the wall clock is ahead of the virtual one: it may be set, elapsed time may not. */
  wallAheadMs = 0;
  readonly bed: ShardBed;

  constructor(sql: Sql, options: Partial<ShardOptions> = {}) {
    this.clock = virtualClock();
    const wall: Clock = { now: () => this.clock.now() + this.wallAheadMs };
    this.bed = new ShardBed(sql, { clock: wall, elapsed: this.clock, timers: this.clock, ...options });
    Object.defineProperty(this.bed, "nowMs", { get: () => wall.now() });
  }

  async create(): Promise<this> {
    await this.bed.create();
    return this;
  }

  /** An acquisition for 10 s, waiting for nothing. */
  acquire(name: string, owner: string, more: Partial<Acquire> = {}): Acquire {
    return { kind: "acquire", opId: this.bed.opId(), name, owner, as: "mutex", ttlMs: 10_000, ...more };
  }

  release(name: string, owner: string, fence: number): LockCommand {
    return { kind: "release", opId: this.bed.opId(), name, owner, fence };
  }

  async lock(commands: readonly LockCommand[], session?: string): Promise<readonly LockVerdict[]> {
    return expectReply(await this.bed.shard.lock({ ...this.bed.scope(), commands }, session)).verdicts;
  }

  async one(command: LockCommand, session?: string): Promise<LockVerdict> {
    const [verdict] = await this.lock([command], session);
    if (verdict === undefined) throw new Error("no verdict");
    return verdict;
  }

  /** Acquires, and gives the fence; fails where it is not granted at once. */
  async hold(name: string, owner: string, more: Partial<Acquire> = {}, session?: string): Promise<number> {
    return fenceOf(await this.one(this.acquire(name, owner, more), session));
  }

  /** Stands in the queue, and gives the ticket. */
  async queue(name: string, owner: string, more: Partial<Acquire> = {}, session?: string): Promise<string> {
    const verdict = await this.one(this.acquire(name, owner, { waitMs: 600_000, ...more }), session);
    if (verdict.outcome !== "ok" || verdict.state !== "waiting") throw new Error(JSON.stringify(verdict));
    return verdict.ticket;
  }

  claim(name: string, owner: string, ticket: string): Promise<LockVerdict> {
    return this.one({ kind: "claim", opId: this.bed.opId(), name, owner, ticket });
  }

  poll(
    name: string,
    owner: string,
    ticket: string,
    waitMs = 20_000,
    session?: string,
  ): Promise<LockWaitReply | Refusal> {
    return this.bed.shard.waitLock({ ...this.bed.scope(), name, owner, ticket, waitMs }, session);
  }

  async info(name: string): Promise<LockInfo> {
    return expectReply(await this.bed.shard.lockInfo({ ...this.bed.scope(), name })).info;
  }

  async observe(
    name: string,
    more: { after?: number; epoch?: string; waitMs?: number } = {},
  ): Promise<ObserveReply> {
    return expectReply(await this.bed.shard.observe({ ...this.bed.scope(), name, waitMs: 0, ...more }));
  }
}

/** The fence of a held or offered verdict; fails on any other. */
export function fenceOf(verdict: LockVerdict): number {
  if (verdict.outcome === "ok" && "fence" in verdict) return verdict.fence;
  throw new Error(`no fence: ${JSON.stringify(verdict)}`);
}

/** `held`, `waiting`, `offered`, `ended`, or the code of a refusal. */
export function wordOf(verdict: LockVerdict | undefined): string {
  if (verdict === undefined) return "none";
  return verdict.outcome === "ok" ? verdict.state : verdict.error.code;
}

/** The word of a poll's answer, or the code with which it was refused. */
export function pollWord(reply: LockWaitReply | Refusal): string {
  return "refused" in reply ? reply.refused.code : wordOf(reply.verdict);
}

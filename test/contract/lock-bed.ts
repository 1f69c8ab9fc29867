import { expect } from "vitest";
import { type ErrorCode, WarpError } from "../../src/errors.ts";
import type { EndedGrant, Locks, LocksSupports } from "../../src/lock/lock.ts";
import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { CallLimits } from "../../src/runtime/call-limits.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { Seeded } from "../support/seeded.ts";

/** One empty space of locks, the ways to it, and its time, which stands still unless the suite moves it. */
export interface LocksBed {
  readonly random: Seeded;
  /** Unix milliseconds. */
  now(): number;
  /** A new node's driver over the bed's one space: each keeps the others out. */
  open(): Locks;
  /** Moves time on, letting everything run between. */
  advance(ms: number): Promise<void>;
  /** Lets things run until `work` is settled; time moves at most as far as a call over the bed's wire takes. */
  done<T>(work: Promise<T>): Promise<T>;
}

/** How the suite gets at a driver. */
export interface LocksUnderTest {
  readonly name: string;
  readonly supports: LocksSupports;
  /** How much time a few calls may take on the bed. Default 0. */
  readonly slackMs?: number;
  run(work: (bed: LocksBed) => Promise<void>): Promise<void>;
}

export type Held = Extract<LockVerdict, { state: "held" }>;
export type Waiting = Extract<LockVerdict, { state: "waiting" }>;
export type Offered = Extract<LockVerdict, { state: "offered" }>;
export type Ended = Extract<LockVerdict, { state: "ended" }>;

type Command<K extends LockCommand["kind"]> = Extract<LockCommand, { kind: K }>;
type Extra<K extends LockCommand["kind"]> = Partial<Omit<Command<K>, "kind">>;

/** A node's driver with short words for what tests do. */
export class LockTester {
  readonly locks: Locks;
  readonly ended: EndedGrant[] = [];
  readonly #bed: LocksBed;

  constructor(bed: LocksBed) {
    this.#bed = bed;
    this.locks = bed.open();
    this.locks.onEnd((ended) => void this.ended.push(ended));
  }

  opId(atMs = this.#bed.now()): string {
    return scopeOpId("test", uuidv7({ now: () => atMs }, this.#bed.random));
  }

  run(commands: readonly LockCommand[], limits?: CallLimits): Promise<readonly LockVerdict[]> {
    return this.#bed.done(this.locks.run(commands, limits));
  }

  async one(command: LockCommand): Promise<LockVerdict> {
    const verdicts = await this.run([command]);
    expect(verdicts).toHaveLength(1);
    return verdicts[0] as LockVerdict;
  }

  acquiring(name: string, owner: string, extra: Extra<"acquire"> = {}): Command<"acquire"> {
    return { kind: "acquire", opId: this.opId(), name, owner, as: "mutex", ttlMs: 10_000, ...extra };
  }

  acquire(name: string, owner: string, extra: Extra<"acquire"> = {}): Promise<LockVerdict> {
    return this.one(this.acquiring(name, owner, extra));
  }

  /** Stands in the queue. */
  async queue(name: string, owner: string, extra: Extra<"acquire"> = {}): Promise<Waiting> {
    return waiting(await this.acquire(name, owner, { waitMs: 600_000, ...extra }));
  }

  /** Begins to wait; other things may be done meanwhile. */
  wait(
    name: string,
    owner: string,
    { ticket }: { readonly ticket: string },
    waitMs = 25_000,
  ): Promise<LockVerdict> {
    return this.locks.wait({ name, owner, ticket, waitMs });
  }

  /** How a place stands now. */
  poll(name: string, owner: string, place: { readonly ticket: string }): Promise<LockVerdict> {
    return this.#bed.done(this.wait(name, owner, place, 0));
  }

  claim(name: string, owner: string, { ticket }: { readonly ticket: string }): Promise<LockVerdict> {
    return this.one({ kind: "claim", opId: this.opId(), name, owner, ticket });
  }

  cancel(name: string, owner: string, { ticket }: { readonly ticket: string }): Promise<LockVerdict> {
    return this.one({ kind: "cancel", opId: this.opId(), name, owner, ticket });
  }

  renew(name: string, owner: string, fence: number, ttlMs?: number): Promise<LockVerdict> {
    const command = { kind: "renew", opId: this.opId(), name, owner, fence } as const;
    return this.one(ttlMs === undefined ? command : { ...command, ttlMs });
  }

  release(name: string, owner: string, fence: number): Promise<LockVerdict> {
    return this.one({ kind: "release", opId: this.opId(), name, owner, fence });
  }

  confirm(name: string, owner: string, fence: number): Promise<LockVerdict> {
    return this.one({ kind: "confirm", opId: this.opId(), name, owner, fence });
  }

  proclaim(name: string, owner: string, fence: number, value: string): Promise<LockVerdict> {
    return this.one({ kind: "proclaim", opId: this.opId(), name, owner, fence, value: text(value) });
  }

  force(name: string, fence?: number): Promise<LockVerdict> {
    const command = { kind: "force", opId: this.opId(), name, by: "admin" } as const;
    return this.one(fence === undefined ? command : { ...command, fence });
  }

  /** Everything that a caller does who wants the lock and waits for it. */
  async lock(name: string, owner: string, extra: Extra<"acquire"> = {}): Promise<Held> {
    const first = await this.acquire(name, owner, { waitMs: 600_000, ...extra });
    if (first.outcome === "ok" && first.state === "held") return first;
    const place = waiting(first);
    for (;;) {
      const verdict = await this.wait(name, owner, place);
      if (verdict.outcome === "ok" && verdict.state === "waiting") continue;
      offered(verdict);
      const [claimed] = await this.locks.run([
        { kind: "claim", opId: this.opId(), name, owner, ticket: place.ticket },
      ]);
      return held(claimed);
    }
  }
}

export function held(verdict: LockVerdict | undefined): Held {
  expect(verdict).toMatchObject({ outcome: "ok", state: "held" });
  return verdict as Held;
}

export function waiting(verdict: LockVerdict | undefined): Waiting {
  expect(verdict).toMatchObject({ outcome: "ok", state: "waiting" });
  return verdict as Waiting;
}

export function offered(verdict: LockVerdict | undefined): Offered {
  expect(verdict).toMatchObject({ outcome: "ok", state: "offered" });
  return verdict as Offered;
}

export function ended(verdict: LockVerdict | undefined, count = 0): void {
  expect(verdict).toMatchObject({ outcome: "ok", state: "ended", count });
}

/** Expects a definite refusal of this code, with these details among others. */
export function refused(verdict: LockVerdict | undefined, code: ErrorCode, details?: object): void {
  const error = { code, outcome: "fail", ...(details !== undefined && { details }) };
  expect(verdict).toMatchObject({ outcome: "fail", error });
}

/** Expects a call to be refused as a whole. */
export async function rejects(call: Promise<unknown>, code: ErrorCode): Promise<WarpError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WarpError);
  expect(error).toMatchObject({ code, outcome: "fail" });
  return error as WarpError;
}

export function text(value: string): { bytes: Uint8Array; contentType: string } {
  return { bytes: utf8(value), contentType: "text/plain" };
}

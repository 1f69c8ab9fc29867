import { expect } from "vitest";
import type { Adapter, Change, Verdict } from "../../src/adapter/adapter.ts";
import type { Leases, LeasesSupports } from "../../src/lease/lease.ts";
import type { LeaseCommand, LeaseEndAction, LeaseVerdict } from "../../src/protocol/lease.ts";
import type { Mutation } from "../../src/protocol/operation.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { Seeded } from "../support/seeded.ts";
import type { VirtualClock } from "../support/virtual-clock.ts";

/** A space with leases, in virtual time in which its alarms go off. */
export interface LeaseBed {
  readonly time: VirtualClock;
  readonly random: Seeded;
  /** A new node's driver. */
  leases(): Leases;
  /** A new node's storage. */
  adapter(): Adapter;
}

/** A driver under test. */
export interface LeaseContract {
  readonly name: string;
  readonly supports: LeasesSupports;
  run(work: (bed: LeaseBed) => Promise<void>, options?: { readonly strict?: boolean }): Promise<void>;
}

type Wish<K extends LeaseCommand["kind"]> = Omit<Extract<LeaseCommand, { kind: K }>, "opId" | "kind">;

/** Two nodes over one space, with short words for what tests do. */
export class LeaseTester {
  readonly bed: LeaseBed;
  readonly leases: Leases;
  /** Another node's. */
  readonly others: Leases;
  readonly adapter: Adapter;
  readonly other: Adapter;

  constructor(bed: LeaseBed) {
    this.bed = bed;
    this.leases = bed.leases();
    this.others = bed.leases();
    this.adapter = bed.adapter();
    this.other = bed.adapter();
  }

  get time(): VirtualClock {
    return this.bed.time;
  }

  opId(atMs = this.time.now()): string {
    return scopeOpId("test", uuidv7({ now: () => atMs }, this.bed.random));
  }

  id(): string {
    return [...this.bed.random.bytes(16)].map((byte) => (byte % 36).toString(36)).join("");
  }

  async run(command: LeaseCommand, leases = this.leases): Promise<LeaseVerdict> {
    const [verdict] = await leases.run([command]);
    if (verdict === undefined) throw new Error("no verdict");
    return verdict;
  }

  /** Runs what may need its alarms to go on. */
  async patiently<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    work.then(end, end);
    for (let step = 0; step < 200 && !over; step++) await this.time.advance(100);
    return await work;
  }

  /** A new lease; its id. */
  async grant(wish: Partial<Wish<"grant">> = {}): Promise<string> {
    const id = wish.id ?? this.id();
    const verdict = await this.run({
      kind: "grant",
      opId: this.opId(),
      ttlMs: 1_000,
      onEnd: "invalidate",
      ...wish,
      id,
    });
    expect(codeOf(verdict)).toBe("ok");
    return id;
  }

  async attach(id: string, ...keys: string[]): Promise<LeaseVerdict> {
    return await this.run({ kind: "attach", opId: this.opId(), id, keys });
  }

  async detach(id: string, ...keys: string[]): Promise<LeaseVerdict> {
    return await this.run({ kind: "detach", opId: this.opId(), id, keys });
  }

  async keepAlive(id: string, leases = this.leases): Promise<LeaseVerdict> {
    return await this.run({ kind: "keepAlive", opId: this.opId(), id }, leases);
  }

  async revoke(id: string, leases = this.leases): Promise<LeaseVerdict> {
    return await this.patiently(this.run({ kind: "revoke", opId: this.opId(), id }, leases));
  }

  setting(key: string, value: string, extra: { readonly lease?: string } = {}): Mutation {
    const payload = { bytes: utf8(value), contentType: "text/plain" };
    return { kind: "set", opId: this.opId(), key, payload, ...extra };
  }

  async set(key: string, value: string, extra: { readonly lease?: string } = {}): Promise<Verdict> {
    const [answer] = await this.adapter.batch([this.setting(key, value, extra)]);
    if (answer === undefined) throw new Error("no answer");
    return answer.verdict;
  }

  /** What another node reads. */
  async text(key: string): Promise<string | undefined> {
    const [answer] = await this.other.getMany([key]);
    return answer?.entry === undefined ? undefined : fromUtf8(answer.entry.payload.bytes);
  }

  /** Whether the lease is live for another node. */
  async lives(id: string): Promise<boolean> {
    return (await this.others.info(id)) !== undefined;
  }

  /** All keys of a lease, page by page, as another node sees them. */
  async keys(id: string, limit = 1_000): Promise<string[]> {
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.others.keys(id, { limit, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.keys.length).toBeLessThanOrEqual(limit);
      keys.push(...page.keys);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return keys;
  }

  /** Everything that the logs tell. */
  async log(): Promise<Change[]> {
    const { asOf } = await this.other.list({ limit: 1 });
    const parts = await Promise.all(
      asOf.map(async (position) => (await this.other.changes({ ...position, revision: 0 })).changes),
    );
    return parts.flat();
  }

  /** The keys that the logs tell of with one of `kinds`. */
  async told(...kinds: Change["kind"][]): Promise<string[]> {
    return (await this.log()).filter(({ kind }) => kinds.includes(kind)).map(({ key }) => key);
  }
}

/** The code of a failed verdict, or `ok`. */
export function codeOf(verdict: LeaseVerdict | Verdict | undefined): string {
  return verdict === undefined ? "none" : verdict.outcome === "ok" ? "ok" : verdict.error.code;
}

/** What a lease's end does to its keys, for tests of both. */
export const endActions: readonly LeaseEndAction[] = ["invalidate", "delete"];

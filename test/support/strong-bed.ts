import type { StoredRegistration } from "../../src/protocol/registration.ts";
import type { MutateReply, Mutation, ReadReply, Refusal, Verdict } from "../../src/protocol/shard-api.ts";
import { isRefusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import type { LeaseGrants } from "../../src/shard/members.ts";
import { dropAll } from "../../src/shard/schema.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { FakeMembers, type JoinOptions } from "./fake-members.ts";
import { MortalSql } from "./mortal-sql.ts";
import { expectReply, ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A registration of strong keys. */
export function strongKeys(
  pattern: string,
  more: { readonly quorum?: number; readonly minZones?: number } = {},
): StoredRegistration {
  const settings = { mode: "strong", cacheTtlMs: 60_000, maxStalenessMs: 5_000, ...more } as const;
  return { pattern, settings, version: 0, source: "static" };
}

/** What became of a call so far. */
export interface Watched<T> {
  readonly promise: Promise<T>;
  value: T | undefined;
  error: unknown;
}

export function watched<T>(promise: Promise<T>): Watched<T> {
  const state: Watched<T> = { promise, value: undefined, error: undefined };
  promise.then(
    (value) => {
      state.value = value;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return state;
}

/** A shard over virtual time whose members the test plays. */
export class StrongBed {
  readonly time: VirtualClock;
  readonly bed: ShardBed;
  members = new FakeMembers();
  leases: LeaseGrants;
  readonly #raw: Sql;
  /** The database as the present instance sees it. */
  sql: MortalSql;

  constructor(sql: Sql, options: Partial<ShardOptions> = {}, time = virtualClock()) {
    this.time = time;
    this.#raw = sql;
    this.sql = new MortalSql(sql);
    this.bed = new ShardBed(sql, { clock: time, timers: time, ...this.#storage(), ...options });
    this.leases = this.bed.shard.serve(this.members);
  }

  async create(): Promise<this> {
    await this.bed.create();
    return this;
  }

  #storage(): Pick<ShardOptions, "sql" | "durable" | "wipe"> {
    const { sql } = this;
    return { sql, durable: () => sql.durable(), wipe: async () => dropAll(sql) };
  }

  /** Another instance over the same database; the one before is dead. Sessions of `kept` are adopted. */
  restart(
    kept: readonly { session: string; node?: string; zone?: string }[] = [],
    options: Partial<ShardOptions> = {},
  ): void {
    this.sql.isDead = true;
    this.sql = new MortalSql(this.#raw);
    this.bed.restart({ ...this.#storage(), ...options });
    this.members = new FakeMembers();
    this.leases = this.bed.shard.serve(this.members);
    for (const { session, ...more } of kept) this.members.join(session, { ...more, isAdopted: true });
  }

  /** A session with a node lease. */
  async holder(session: string, options: JoinOptions = {}): Promise<void> {
    this.members.join(session, options);
    if ((await this.leases.grant(session)) === undefined) throw new Error(`${session} got no lease`);
  }

  async read(session: string | undefined, ...keys: string[]): Promise<ReadReply> {
    const request = { ...this.bed.scope(), keys, strong: true, hold: true } as const;
    return expectReply(await this.bed.shard.read(request, session));
  }

  /** Whether `session` may hold `key` now. */
  async hold(session: string, key: string): Promise<boolean> {
    return (await this.read(session, key)).held?.includes(0) ?? false;
  }

  opId(): string {
    return scopeOpId("test", uuidv7(this.time, this.bed.random));
  }

  setting(key: string, value: string, more: Partial<Extract<Mutation, { kind: "set" }>> = {}): Mutation {
    const payload = { bytes: utf8(value), contentType: "text/plain" };
    return { kind: "set", opId: this.opId(), key, payload, ...more };
  }

  mutate(mutations: readonly Mutation[], session?: string): Watched<MutateReply | Refusal> {
    return watched(this.bed.shard.mutate({ ...this.bed.scope(), mutations }, session));
  }

  /** Begins to set a key. */
  set(key: string, value: string, session?: string): Watched<MutateReply | Refusal> {
    return this.mutate([this.setting(key, value)], session);
  }

  /** What the alarm would do now. */
  async alarm(): Promise<void> {
    await this.bed.shard.onAlarm();
  }

  async text(key: string): Promise<string | undefined> {
    return await this.bed.text(key);
  }

  /** The kinds and keys of the log from `since` on. */
  log(since = 0): string[] {
    return this.bed.sql
      .all("SELECT kind, key FROM log WHERE revision > ? ORDER BY revision, seq", since)
      .map(({ kind, key }) => `${kind} ${new TextDecoder().decode(key as Uint8Array)}`);
  }
}

/** The first verdict of an answer; undefined while there is none. */
export function verdictOf({ value }: Watched<MutateReply | Refusal>): Verdict | undefined {
  if (value === undefined) return undefined;
  if (isRefusal(value)) throw new Error(`refused: ${value.refused.code}`);
  return value.verdicts[0];
}

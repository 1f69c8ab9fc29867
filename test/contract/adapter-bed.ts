import { expect } from "vitest";
import type {
  Adapter,
  AdapterSupports,
  Mutation,
  MutationAnswer,
  StoredEntry,
  Transaction,
  TransactionVerdict,
} from "../../src/adapter/adapter.ts";
import { WarpError } from "../../src/errors.ts";
import type { MergeFunctions } from "../../src/merge/merge-function.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import type { RegistrationSettings } from "../../src/protocol/registration.ts";
import { scopeOpId, type Verdict } from "../../src/protocol/shard-api.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { ManualTime } from "../support/manual-time.ts";
import type { Seeded } from "../support/seeded.ts";

/** What a storage under test is made with. */
export interface BedOptions {
  readonly strict?: boolean;
  readonly logMaxEntries?: number;
  /** Merge rules beside the built-in ones. */
  readonly merges?: MergeFunctions;
}

/** One empty storage and the ways to it. */
export interface AdapterBed {
  readonly time: ManualTime;
  readonly random: Seeded;
  /** A new adapter over the bed's one storage. */
  open(): Adapter;
  /** Where guards can be judged: locks beside the keys. */
  readonly locks?: {
    /** Gives a lock to someone else, from whoever has it; gives the fence. */
    grant(lock: string): Promise<number>;
    /** Whoever has it has it no more. */
    end(lock: string): Promise<void>;
  };
}

/** How the suite gets at a driver. */
export interface AdapterUnderTest {
  readonly name: string;
  readonly supports: AdapterSupports;
  /** The space comes into being with its first mutation; before that reads are refused. */
  readonly firstWriteCreates: boolean;
  run(work: (bed: AdapterBed) => Promise<void>, options?: BedOptions): Promise<void>;
}

type Extra<K extends Mutation["kind"]> = Partial<Extract<Mutation, { kind: K }>>;

/** An adapter with short words for what tests do. */
export class Tester {
  readonly adapter: Adapter;
  readonly #bed: AdapterBed;

  constructor(bed: AdapterBed) {
    this.#bed = bed;
    this.adapter = bed.open();
  }

  opId(atMs = this.#bed.time.now()): string {
    return scopeOpId("test", uuidv7({ now: () => atMs }, this.#bed.random));
  }

  setting(key: string, value: string | Uint8Array, extra: Extra<"set"> = {}): Mutation {
    const bytes = typeof value === "string" ? utf8(value) : value;
    return { kind: "set", opId: this.opId(), key, payload: { bytes, contentType: "text/plain" }, ...extra };
  }

  deleting(key: string, extra: Extra<"delete"> = {}): Mutation {
    return { kind: "delete", opId: this.opId(), key, ...extra };
  }

  /** A merge of a JSON operand. */
  merging(key: string, operand: unknown, extra: Extra<"merge"> = {}): Mutation {
    return { kind: "merge", opId: this.opId(), key, operand: json(operand), ...extra };
  }

  async merge(key: string, operand: unknown, extra: Extra<"merge"> = {}): Promise<Verdict> {
    return (await this.one(this.merging(key, operand, extra))).verdict;
  }

  /** The JSON of a key. */
  async json(key: string): Promise<unknown> {
    const text = await this.text(key);
    return text === undefined ? undefined : JSON.parse(text);
  }

  transaction(parts: Partial<Transaction>): Transaction {
    return { opId: this.opId(), compare: [], success: [], failure: [], ...parts };
  }

  async transact(parts: Partial<Transaction>): Promise<TransactionVerdict> {
    return (await this.adapter.transact(this.transaction(parts))).verdict;
  }

  async register(pattern: string, settings: Partial<RegistrationSettings>): Promise<void> {
    const all = { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, ...settings } as const;
    await this.adapter.register(pattern, all);
  }

  /** One mutation, its answer. */
  async one(mutation: Mutation): Promise<MutationAnswer> {
    const [answer] = await this.adapter.batch([mutation]);
    if (answer === undefined) throw new Error("no answer");
    return answer;
  }

  async set(key: string, value: string | Uint8Array, extra: Extra<"set"> = {}): Promise<Verdict> {
    return (await this.one(this.setting(key, value, extra))).verdict;
  }

  async delete(key: string, extra: Extra<"delete"> = {}): Promise<Verdict> {
    return (await this.one(this.deleting(key, extra))).verdict;
  }

  async entry(key: string): Promise<StoredEntry | undefined> {
    const [answer] = await this.adapter.getMany([key]);
    expect(answer?.key).toBe(key);
    return answer?.entry;
  }

  async text(key: string): Promise<string | undefined> {
    const entry = await this.entry(key);
    return entry === undefined ? undefined : fromUtf8(entry.payload.bytes);
  }

  /** All keys of a list, page by page. */
  async keys(prefix = "", limit = 1_000): Promise<string[]> {
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.adapter.list({ prefix, limit, ...(cursor === undefined ? {} : { cursor }) });
      keys.push(...page.items.map((item) => item.key));
      expect(page.items.length).toBeLessThanOrEqual(limit);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return keys;
  }
}

/** JSON as a value. */
export function json(value: unknown): Payload {
  return { bytes: utf8(JSON.stringify(value)), contentType: "application/json" };
}

/** Text as a value. */
export function plain(text: string): Payload {
  return { bytes: utf8(text), contentType: "text/plain" };
}

/** A transaction that must have gone well. */
export function done(verdict: TransactionVerdict): Extract<TransactionVerdict, { outcome: "ok" }> {
  if (verdict.outcome !== "ok")
    throw new Error(`expected ok, got ${codeOf(verdict)}: ${verdict.error.message}`);
  return verdict;
}

/** The code of a failed verdict, or `ok`. */
export function codeOf(verdict: Verdict | TransactionVerdict | undefined): string {
  return verdict === undefined ? "none" : verdict.outcome === "ok" ? "ok" : verdict.error.code;
}

/** The verdict of something that must have gone well. */
export function okay(verdict: Verdict | undefined): Extract<Verdict, { outcome: "ok" }> {
  if (verdict?.outcome !== "ok") throw new Error(`expected ok, got ${codeOf(verdict)}`);
  return verdict;
}

/** The WarpError that `work` ends in. */
export async function failure(work: Promise<unknown>): Promise<WarpError> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (cause: unknown) => cause,
  );
  if (error instanceof WarpError) return error;
  throw error;
}

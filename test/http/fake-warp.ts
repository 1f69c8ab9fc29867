import { TransactionBuilder } from "../../src/core/transaction-builder.ts";
import type { Plan } from "../../src/core/transaction-plan.ts";
import type {
  BatchOperation,
  BatchResult,
  InvalidateTarget,
  KeptEntry,
  Lookup,
  MutationOptions,
  MutationResult,
  ReadOptions,
  ResolveOptions,
  TransactionResult,
  TransactionStep,
  VersionEntry,
  WarmupOptions,
  WarmupProgress,
} from "../../src/core/types.ts";
import type { PublishCall } from "../../src/core/watch-types.ts";
import { WarpError } from "../../src/errors.ts";
import type { SpaceAdministration, SpaceWarp } from "../../src/http/deployment.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import type { StoredRegistration } from "../../src/protocol/registration.ts";
import type { KeptVersion, ListedKey, Precondition, Resolution } from "../../src/protocol/shard-api.ts";
import type { WatchTarget } from "../../src/protocol/watch.ts";
import { FakeLeases, FakeLocks } from "./fake-coordination.ts";

const epoch = "00000000000000aa";

/** A version of a key; without a payload: a delete. */
interface Kept {
  readonly key: string;
  readonly version: number;
  readonly atMs: number;
  readonly payload: Payload | undefined;
  readonly tags: readonly string[] | undefined;
}

/** A space in memory with what HTTP needs of it: a stand-in where a test wants faults, or nothing but HTTP. */
export class FakeWarp implements SpaceWarp {
  readonly locks = { driver: new FakeLocks() };
  readonly leases = { driver: new FakeLeases() };

  readonly entries = new Map<
    string,
    {
      payload: Payload;
      version: number;
      expiresInMs: number | undefined;
      tags: readonly string[] | undefined;
    }
  >();
  /** All that was written, in order. */
  readonly kept: Kept[] = [];
  readonly reads: { readonly key: string; readonly allowStale: boolean | undefined }[] = [];
  readonly warmups: WarmupOptions[] = [];
  readonly invalidated: InvalidateTarget[] = [];
  readonly published: {
    readonly target: WatchTarget;
    readonly value: unknown;
    readonly retained: boolean;
  }[] = [];
  /** What the next warmups report; an error breaks them off. */
  warming: (WarmupProgress | Error)[] = [];
  /** More than 0: answers are stale and so old. */
  staleMs = 0;
  readonly registered = new Map<string, StoredRegistration>();
  /** Thrown by the next calls, as many as there are. */
  readonly faults: unknown[] = [];
  readonly batches: { operations: readonly BatchOperation[]; options: MutationOptions }[] = [];
  readonly plans: Plan[] = [];
  readonly endings: Pick<TransactionResult, "succeeded" | "results">[] = [];
  readonly resolved: { readonly opId: string; readonly options: ResolveOptions }[] = [];
  readonly resolutions: Resolution[] = [];
  revision = 0;
  exists = false;

  #fault(): void {
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
  }

  get cursor(): string {
    return `${epoch}.${this.revision}`;
  }

  async lookup<T>(key: string, options: ReadOptions<T> = {}): Promise<Lookup<T>> {
    this.#fault();
    this.reads.push({ key, allowStale: options.allowStale });
    const entry = this.entries.get(key);
    const { cursor } = this;
    if (entry === undefined) return { key, value: undefined, version: 0, cursor, cache: "miss" };
    return {
      key,
      value: entry.payload as T,
      version: entry.version,
      etag: `${epoch}.${entry.version}`,
      cursor,
      contentType: entry.payload.contentType,
      modifiedAtMs: 1,
      ageMs: this.staleMs,
      expiresInMs: entry.expiresInMs,
      ...(entry.tags === undefined ? {} : { tags: entry.tags }),
      stale: this.staleMs > 0,
      cache: this.staleMs > 0 ? "stale" : "hit",
    };
  }

  #kept<T>(kept: Kept): VersionEntry<T> {
    const { key, version, atMs, payload, tags } = kept;
    const about = { key, version, etag: `${epoch}.${version}`, atMs };
    if (payload === undefined) return { ...about, kind: "delete", value: undefined };
    const { bytes, contentType } = payload;
    const tagged = tags === undefined ? {} : { tags };
    return { ...about, kind: "set", value: payload as T, sizeBytes: bytes.length, contentType, ...tagged };
  }

  async getAt<T>(key: string, atMs: number): Promise<KeptEntry<T> | undefined> {
    this.#fault();
    const kept = this.kept.filter((one) => one.key === key && one.atMs <= atMs).at(-1);
    const entry = kept === undefined ? undefined : this.#kept<T>(kept);
    return entry?.kind === "set" ? entry : undefined;
  }

  async getVersion<T>(key: string, version: number): Promise<VersionEntry<T>> {
    this.#fault();
    const kept = this.kept.find((one) => one.key === key && one.version === version);
    if (kept === undefined) throw new WarpError("version_compacted", "no longer kept");
    return this.#kept(kept);
  }

  async history(key: string, options: { readonly before?: number; readonly limit?: number } = {}) {
    this.#fault();
    const { before = Number.POSITIVE_INFINITY, limit = 100 } = options;
    const all = this.kept.filter((one) => one.key === key && one.version < before).reverse();
    const versions = all.slice(0, limit).map(({ version, atMs, payload, tags }): KeptVersion => {
      if (payload === undefined) return { version, kind: "delete", atMs, sizeBytes: 0 };
      return {
        version,
        kind: "set",
        atMs,
        sizeBytes: payload.bytes.length,
        contentType: payload.contentType,
        ...(tags === undefined ? {} : { tags }),
      };
    });
    return { versions, more: all.length > limit, floor: 1, cursor: this.cursor };
  }

  async restore(key: string, version: number, options: Parameters<SpaceWarp["restore"]>[2] = {}) {
    const kept = this.kept.find((one) => one.key === key && one.version === version);
    if (kept?.payload === undefined) throw new WarpError("version_compacted", "no longer kept");
    return await this.set(key, kept.payload, options);
  }

  async *warmup(options: WarmupOptions = {}): AsyncGenerator<WarmupProgress> {
    this.#fault();
    this.warmups.push(options);
    for (const progress of this.warming) {
      if (progress instanceof Error) throw progress;
      yield progress;
    }
  }

  #check(key: string, when: Precondition | undefined): void {
    if (when === undefined) return;
    const entry = this.entries.get(key);
    const tag = entry === undefined ? undefined : `${epoch}.${entry.version}`;
    const tags = "anyOf" in when ? when.anyOf : when.noneOf;
    const matches = tag !== undefined && (tags === "*" || tags.includes(tag));
    if (matches !== "anyOf" in when)
      throw new WarpError("precondition_failed", "the key is at another version");
  }

  async set<T>(
    key: string,
    value: T,
    options: Parameters<SpaceWarp["set"]>[2] = {},
  ): Promise<MutationResult> {
    this.#fault();
    this.#check(key, options.when);
    const existed = this.entries.has(key);
    this.exists = true;
    const version = ++this.revision;
    const payload = value as Payload;
    this.entries.set(key, { payload, version, expiresInMs: options.expiresInMs, tags: options.tags });
    this.kept.push({ key, version, atMs: version * 1_000, payload, tags: options.tags });
    return this.#result(key, version, existed, options);
  }

  /** Operands take the place of what is there: no rule is known here. */
  async merge<T>(key: string, operand: T, options: Parameters<SpaceWarp["merge"]>[2] = {}) {
    return await this.set(key, operand, options);
  }

  /** Each transaction that was committed is kept; unless {@link endings} has another end for it, its comparisons hold. */
  txn() {
    const run = async (plan: Plan, options: MutationOptions = {}): Promise<TransactionResult> => {
      this.#fault();
      this.plans.push(plan);
      const ending = this.endings.shift();
      const results: TransactionStep[] = [];
      for (const one of ending === undefined ? plan.success : []) {
        if ("get" in one) results.push({ op: "get", ...(await this.lookup<Payload>(one.get)) } as never);
        else if (one.wish.kind === "delete") {
          const { version, etag, existed } = await this.delete(one.wish.key);
          results.push({ op: "delete", key: one.wish.key, version, etag, existed });
        } else {
          const { kind: op, key } = one.wish;
          const value = one.wish.kind === "set" ? one.wish.payload : one.wish.operand;
          const { version, etag, existed } = await this.set(key, value);
          results.push({ op, key, version, etag, existed });
        }
      }
      const { cursor, revision: version } = this;
      const { opId = "" } = options;
      return { succeeded: true, results, opId, version, cursor, replayed: false, ...ending };
    };
    return new TransactionBuilder({ run });
  }

  async resolve(opId: string, options: ResolveOptions = {}): Promise<Resolution> {
    this.#fault();
    this.resolved.push({ opId, options });
    return this.resolutions.shift() ?? { state: options.seal === true ? "sealed" : "unseen" };
  }

  #result(key: string, version: number, existed: boolean, options: MutationOptions): MutationResult {
    const etag = version === 0 ? undefined : `${epoch}.${version}`;
    return { key, opId: options.opId ?? "", version, etag, cursor: this.cursor, existed, replayed: false };
  }

  async delete(key: string, options: Parameters<SpaceWarp["delete"]>[1] = {}): Promise<MutationResult> {
    this.#fault();
    this.#check(key, options.when);
    const existed = this.entries.delete(key);
    if (existed) {
      this.revision++;
      this.kept.push({
        key,
        version: this.revision,
        atMs: this.revision * 1_000,
        payload: undefined,
        tags: undefined,
      });
    }
    return this.#result(key, 0, existed, options);
  }

  async batch(
    operations: readonly BatchOperation[],
    options: MutationOptions = {},
  ): Promise<readonly BatchResult[]> {
    this.#fault();
    this.batches.push({ operations, options });
    const results: BatchResult[] = [];
    for (const operation of operations) {
      const { op, key } = operation;
      try {
        if (op === "get") results.push({ op, lookup: await this.lookup<Payload>(key) });
        else if (op === "set")
          results.push({ op, result: await this.set(key, operation.payload, { ...options, ...operation }) });
        else if (op === "merge")
          results.push({
            op,
            result: await this.merge(key, operation.operand, { ...options, ...operation }),
          });
        else if (op === "delete")
          results.push({ op, result: await this.delete(key, { ...options, ...operation }) });
        else results.push({ op, result: this.#result(key, 0, true, options) });
      } catch (error) {
        results.push({ op, key, error: WarpError.from(error, "internal", "").toData() });
      }
    }
    return results;
  }

  async invalidate(target: InvalidateTarget) {
    this.#fault();
    this.invalidated.push(target);
    return { opId: "", cursors: [this.cursor] };
  }

  async publish<T>(target: WatchTarget, value: T, options: PublishCall<T> = {}) {
    this.#fault();
    const { opId = "", retained = false } = options;
    this.published.push({ target, value, retained });
    return { opId, cursors: retained ? [this.cursor] : [] };
  }

  async invalidateLocal(): Promise<number> {
    this.#fault();
    return 0;
  }

  async list(options: Parameters<SpaceWarp["list"]>[0] = {}) {
    this.#fault();
    const { prefix = "", limit = 100, cursor, values = false } = options;
    if (cursor !== undefined && !cursor.startsWith("after:"))
      throw new WarpError("invalid_cursor", "rubbish");
    const after = cursor?.slice(6);
    const keys = [...this.entries.keys()]
      .sort()
      .filter((key) => key.startsWith(prefix) && (after === undefined || key > after));
    const items = keys.slice(0, limit).map((key): ListedKey => {
      const entry = this.entries.get(key);
      if (entry === undefined) throw new Error("no entry");
      const { payload, version, tags } = entry;
      return {
        key,
        version,
        modifiedAtMs: 1,
        sizeBytes: payload.bytes.length,
        contentType: payload.contentType,
        ...(tags === undefined ? {} : { tags }),
        ...(values ? { payload } : {}),
      };
    });
    return {
      items,
      cursor: keys.length > limit ? `after:${items.at(-1)?.key}` : undefined,
      asOf: [this.cursor],
    };
  }

  async register(pattern: string, options: object, { ifVersion }: { readonly ifVersion?: number } = {}) {
    const settings = { mode: "eventual" as const, cacheTtlMs: 300_000, maxStalenessMs: 5_000, ...options };
    const old = this.registered.get(pattern);
    if (
      old !== undefined &&
      JSON.stringify(old.settings) !== JSON.stringify(settings) &&
      ifVersion !== old.version
    ) {
      throw new WarpError("registration_conflict", "other settings");
    }
    const registration: StoredRegistration = { pattern, settings, version: ++this.revision, source: "space" };
    this.registered.set(pattern, registration);
    return { registration, created: old === undefined };
  }

  async unregister(pattern: string) {
    return this.registered.delete(pattern);
  }

  async registrations() {
    return [...this.registered.values()];
  }
}

/** The spaces of {@link FakeWarp}s. */
export class FakeSpaces implements SpaceAdministration {
  readonly warps = new Map<string, FakeWarp>();
  readonly settings = new Map<string, { shards: number; strict: boolean }>();

  warp(space: string): FakeWarp {
    let warp = this.warps.get(space);
    if (warp === undefined) {
      warp = new FakeWarp();
      this.warps.set(space, warp);
    }
    return warp;
  }

  #reply(name: string) {
    const settings = this.settings.get(name) ?? { shards: 1, strict: false };
    return { space: { name, id: "x", createdAtMs: 1, ...settings }, registrations: 0 };
  }

  async get(space: string) {
    return this.settings.has(space) || this.warps.get(space)?.exists ? this.#reply(space) : undefined;
  }

  async create(space: string, options: { shards?: number; strict?: boolean }) {
    const wanted = { shards: options.shards ?? 1, strict: options.strict ?? false };
    const old = this.settings.get(space);
    if (old !== undefined && JSON.stringify(old) !== JSON.stringify(wanted)) {
      throw new WarpError("space_conflict", "the space exists with other settings");
    }
    this.settings.set(space, wanted);
    return { ...this.#reply(space), created: old === undefined };
  }

  async delete(space: string) {
    const had = this.settings.delete(space) || this.warps.get(space)?.exists === true;
    this.warps.delete(space);
    return had;
  }

  async usage(space: string): ReturnType<SpaceAdministration["usage"]> {
    return {
      keys: this.warps.get(space)?.entries.size ?? 0,
      valueBytes: 0,
      logEntries: 0,
      databaseBytes: 0,
      shards: [],
    };
  }
}

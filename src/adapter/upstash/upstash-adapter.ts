import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { checkResolveCount } from "../../protocol/outcomes.ts";
import type { Position } from "../../protocol/position.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, Resolution } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { checkCallLimits } from "../../runtime/call-limits.ts";
import { stringOf } from "../../upstash/reply.ts";
import type {
  Adapter,
  AdapterSupports,
  CallOptions,
  ChangesAnswer,
  HistoryAnswer,
  ListAnswer,
  ListOptions,
  Mutation,
  MutationAnswer,
  ReadAnswer,
  TransactionAnswer,
  VersionAnswer,
} from "../adapter.ts";
import { checkBatchSize } from "../batch.ts";
import { resolveList } from "../list-page.ts";
import { checkSupported } from "../supported.ts";
import { type ResolvedUpstashAdapter, resolveOptions, type UpstashAdapterOptions } from "./options.ts";
import { spaceFactsScript } from "./scripts/space.ts";
import { UpstashReads } from "./upstash-reads.ts";
import { UpstashRegistrations } from "./upstash-registrations.ts";
import { UpstashSpace } from "./upstash-space.ts";
import { UpstashWrites } from "./upstash-writes.ts";
import { unsupported } from "./verdicts.ts";

const supports: AdapterSupports = Object.freeze({
  storage: true,
  atomicBatch: true,
  changes: true,
  registrations: true,
  persistent: true,
  history: false,
  claims: false,
  transactions: false,
  merge: false,
  quorum: false,
  leases: false,
  fences: false,
});

/**
 * Storage in Upstash Redis alone, without a shard: every call is one script, so one request, and atomic. Nodes over the same space share values,
 * versions, op ids, registrations and a bounded log. See `docs/upstash-adapter.md` for what it promises and costs. Throws `invalid_argument`, `invalid_space`.
 */
export function upstashAdapter(options: UpstashAdapterOptions): UpstashAdapter {
  return new UpstashAdapter(resolveOptions(options));
}

/** See {@link upstashAdapter}. */
export class UpstashAdapter implements Adapter {
  readonly supports = supports;
  readonly #options: ResolvedUpstashAdapter;
  readonly #space: UpstashSpace;
  readonly #registrations: UpstashRegistrations;
  readonly #reads: UpstashReads;
  readonly #writes: UpstashWrites;
  #closed = false;

  constructor(options: ResolvedUpstashAdapter) {
    this.#options = options;
    this.#space = new UpstashSpace(options);
    this.#registrations = new UpstashRegistrations(this.#space);
    this.#reads = new UpstashReads(this.#space);
    const { clock, maxValueBytes } = options;
    const [space, registrations] = [this.#space, this.#registrations];
    this.#writes = new UpstashWrites({ space, registrations, clock, maxValueBytes });
  }

  get registrationsSeen(): number {
    return this.#space.registrationsSeen;
  }

  get life(): number {
    return this.#space.life;
  }

  shardOf(_key: string): number {
    return 0;
  }

  async getMany(keys: readonly string[], options?: CallOptions): Promise<readonly ReadAnswer[]> {
    this.#begin(options);
    checkBatchSize(keys.length);
    for (const key of keys) checkKey(key);
    return await this.#reads.getMany(keys, options);
  }

  async batch(mutations: readonly Mutation[], options?: CallOptions): Promise<readonly MutationAnswer[]> {
    this.#begin(options);
    checkBatchSize(mutations.length);
    if (mutations.length === 0) return [];
    return await this.#writes.batch(mutations, options);
  }

  async transact(_transaction: unknown, options?: CallOptions): Promise<TransactionAnswer> {
    this.#begin(options);
    throw unsupported("transactions");
  }

  async resolve(
    operations: readonly { readonly opId: string; readonly key?: string }[],
    options: CallOptions & { readonly seal?: boolean } = {},
  ): Promise<readonly Resolution[]> {
    this.#begin(options);
    checkResolveCount(operations.length);
    if (operations.length === 0) return [];
    return await this.#writes.resolve(operations, options.seal ?? false, options);
  }

  async list(options: ListOptions = {}): Promise<ListAnswer> {
    this.#begin(options);
    return await this.#reads.list(resolveList(options), options);
  }

  async changes(since: Position, options?: CallOptions): Promise<ChangesAnswer> {
    this.#begin(options);
    return await this.#reads.changes(since, options);
  }

  async readVersion(_key: string, _which: unknown, options?: CallOptions): Promise<VersionAnswer> {
    this.#begin(options);
    throw unsupported("versions");
  }

  async history(_key: string, options?: CallOptions): Promise<HistoryAnswer> {
    this.#begin(options);
    throw unsupported("versions");
  }

  async claimLoad(_request: unknown, options?: CallOptions): Promise<ClaimReply["claim"]> {
    this.#begin(options);
    throw unsupported("claims on loads");
  }

  async space(options?: CallOptions): Promise<SpaceSettings | undefined> {
    this.#begin(options);
    const { rest } = await this.#space.run(spaceFactsScript, [], "read", options);
    const [created, strict] = rest;
    const createdAtMs = Number(stringOf(created));
    return { name: this.#space.name, id: this.#space.id, shards: 1, strict: strict === "1", createdAtMs };
  }

  async registrations(
    options?: CallOptions,
  ): Promise<{ readonly version: number; readonly list: readonly StoredRegistration[] }> {
    this.#begin(options);
    return await this.#registrations.read(options);
  }

  async register(
    pattern: string,
    settings: RegistrationSettings,
    options: CallOptions & { readonly ifVersion?: number } = {},
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    this.#begin(options);
    checkSupported(settings, supports);
    return await this.#registrations.register(pattern, settings, options.ifVersion, options);
  }

  async unregister(pattern: string, options?: CallOptions): Promise<boolean> {
    this.#begin(options);
    return await this.#registrations.unregister(pattern, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#options.ownsRedis) this.#options.redis.close();
  }

  /**
   * Takes in a share of the values that others wrote in plain form under the space's `v:` keys, so that lists have them: each gets a version and a log
   * entry, and stays as it is. Reads of single keys need none of that. Gives what to go on with; undefined: all have been looked at.
   */
  async adopt(cursor = "0", options?: CallOptions): Promise<string | undefined> {
    this.#begin(options);
    return await this.#reads.adopt(cursor, options);
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "this adapter is closed");
    checkCallLimits(options);
  }
}

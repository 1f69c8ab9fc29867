import type { Placed } from "../../connection/shard-calls.ts";
import type { SpaceClient } from "../../connection/space-client.ts";
import { WarpError } from "../../errors.ts";
import { checkKey, shardOf } from "../../protocol/key.ts";
import { type Claiming, checkClaim } from "../../protocol/load-claims.ts";
import type { Position } from "../../protocol/position.ts";
import type { Pushes } from "../../protocol/pushes.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, Resolution, VersionRequest } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { checkCallLimits } from "../../runtime/call-limits.ts";
import { defaultListLimit } from "../../runtime/limits.ts";
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
  ReadOptions,
  Transaction,
  TransactionAnswer,
  Verdict,
  VersionAnswer,
} from "../adapter.ts";
import { checkBatchSize, namedKey } from "../batch.ts";
import { listCursor, resolveList } from "../list-page.ts";
import { checkSupported } from "../supported.ts";

const supports: AdapterSupports = Object.freeze({
  storage: true,
  // Of one shard; a batch over several is one commit in each.
  atomicBatch: false,
  changes: true,
  registrations: true,
  persistent: true,
  history: true,
  claims: true,
  transactions: true,
  merge: true,
  quorum: true,
  leases: true,
  fences: true,
});

/**
 * The shards' own storage, through a {@link SpaceClient}. The space comes into being with its first mutation; reads of a space that
 * does not exist are `space_not_found`.
 */
export function shardAdapter(client: SpaceClient): Adapter {
  return new ShardAdapter(client);
}

class ShardAdapter implements Adapter {
  readonly supports = supports;
  readonly #client: SpaceClient;
  #closed = false;

  constructor(client: SpaceClient) {
    this.#client = client;
  }

  get registrationsSeen(): number {
    return this.#client.registrationsSeen;
  }

  get life(): number {
    return this.#client.life;
  }

  /** 0 for every key until the first answer has told how many shards there are. */
  shardOf(key: string): number {
    return shardOf(key, this.#client.shards);
  }

  get pushes(): Pushes | undefined {
    return this.#client.pushes;
  }

  async getMany(keys: readonly string[], options?: ReadOptions): Promise<readonly ReadAnswer[]> {
    this.#begin(options);
    checkBatchSize(keys.length);
    for (const key of keys) checkKey(key);
    if (keys.length === 0) return [];
    const answers = await this.#client.read(keys, options);
    return answers.map(({ answer, ...where }, at) => ({ key: keys[at] ?? "", entry: answer, ...where }));
  }

  async batch(mutations: readonly Mutation[], options?: CallOptions): Promise<readonly MutationAnswer[]> {
    this.#begin(options);
    checkBatchSize(mutations.length);
    if (mutations.length === 0) return [];
    const answers = await this.#client.mutate(mutations, options);
    return answers.map((parts, at) => ({ ...namedKey(mutations[at]), ...joined(parts) }));
  }

  async transact(transaction: Transaction, options?: CallOptions): Promise<TransactionAnswer> {
    this.#begin(options);
    const { answer, asOf } = await this.#client.transact(transaction, options);
    return { verdict: answer, asOf };
  }

  async resolve(
    operations: readonly { readonly opId: string; readonly key?: string }[],
    options?: CallOptions & { readonly seal?: boolean },
  ): Promise<readonly Resolution[]> {
    this.#begin(options);
    return operations.length === 0 ? [] : await this.#client.resolve(operations, options);
  }

  async list(options: ListOptions = {}): Promise<ListAnswer> {
    this.#begin(options);
    const resolved = resolveList(options);
    const { items, next, asOf } = await this.#client.list(resolved, options);
    return { items, cursor: next === undefined ? undefined : listCursor(next, resolved.prefix), asOf };
  }

  async stored(...[prefix, cursor, options]: Parameters<NonNullable<Adapter["stored"]>>) {
    this.#begin(options);
    return await this.#client.stored(prefix, cursor, options);
  }

  async changes(since: Position, options?: CallOptions): Promise<ChangesAnswer> {
    this.#begin(options);
    return await this.#client.changes(since, options);
  }

  async readVersion(
    key: string,
    which: VersionRequest["which"],
    options?: CallOptions,
  ): Promise<VersionAnswer> {
    this.#begin(options);
    checkKey(key);
    const { answer, asOf } = await this.#client.readVersion(key, which, options);
    return { found: answer, asOf };
  }

  async history(
    key: string,
    options: CallOptions & { readonly before?: number; readonly limit?: number } = {},
  ): Promise<HistoryAnswer> {
    this.#begin(options);
    checkKey(key);
    const { before, limit = defaultListLimit } = options;
    const { answer, asOf } = await this.#client.history(
      { key, limit, ...(before === undefined ? {} : { before }) },
      options,
    );
    return { ...answer, asOf };
  }

  async claimLoad(request: Claiming, options?: CallOptions): Promise<ClaimReply["claim"]> {
    this.#begin(options);
    checkClaim(request);
    return await this.#client.claimLoad(request, options);
  }

  async space(options?: CallOptions): Promise<SpaceSettings | undefined> {
    this.#begin(options);
    return await this.#client.space(options);
  }

  async registrations(
    options?: CallOptions,
  ): Promise<{ readonly version: number; readonly list: readonly StoredRegistration[] }> {
    this.#begin(options);
    return await this.#client.registrations(options);
  }

  async register(
    pattern: string,
    settings: RegistrationSettings,
    options: CallOptions & { readonly ifVersion?: number } = {},
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    this.#begin(options);
    checkSupported(settings, supports);
    return await this.#client.register(pattern, settings, options.ifVersion, options);
  }

  async unregister(pattern: string, options?: CallOptions): Promise<boolean> {
    this.#begin(options);
    return await this.#client.unregister(pattern, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#client.close();
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "this adapter is closed");
    checkCallLimits(options);
  }
}

/** One answer of the parts that a mutation of several shards has: the first refusal, else the first. */
function joined(
  parts: readonly [Placed<Verdict>, ...Placed<Verdict>[]],
): Pick<MutationAnswer, "verdict" | "asOf" | "others"> {
  const first = parts.find(({ answer }) => answer.outcome === "fail") ?? parts[0];
  const others = parts
    .filter((part) => part !== first)
    .map(({ answer, asOf }) => ({ verdict: answer, asOf }));
  return { verdict: first.answer, asOf: first.asOf, ...(others.length === 0 ? {} : { others }) };
}

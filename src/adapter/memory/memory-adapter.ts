import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import type { Claiming } from "../../protocol/load-claims.ts";
import type { Position } from "../../protocol/position.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, Resolution, VersionRequest } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { checkTransactionShape } from "../../protocol/transaction-rules.ts";
import { checkCallLimits } from "../../runtime/call-limits.ts";
import { defaultListLimit, maxChangesLimit } from "../../runtime/limits.ts";
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
  VersionAnswer,
} from "../adapter.ts";
import { checkBatchSize, namedKey } from "../batch.ts";
import { listCursor, resolveList } from "../list-page.ts";
import { checkSupported } from "../supported.ts";
import { MemoryPushes } from "./memory-pushes.ts";
import { MemoryStorage, type MemoryStorageOptions } from "./memory-storage.ts";

const supports: Omit<AdapterSupports, keyof MemoryStorage["supports"]> = Object.freeze({
  storage: true,
  atomicBatch: true,
  changes: true,
  registrations: true,
  persistent: false,
  history: true,
  claims: true,
  transactions: true,
  merge: true,
  quorum: false,
});

/**
 * Storage inside the process: for `standalone()`, tests and trials. Its data ends with the process. To let several nodes share one, make
 * a {@link MemoryStorage} and give it to an adapter for each.
 *
 * Nodes hear of every change in the turn of its commit, so that they may hold strong keys, too. `pushes: false` leaves that out: nodes then
 * have to ask, as those without an open connection do.
 */
export function memoryAdapter(
  options: (MemoryStorageOptions | { readonly storage: MemoryStorage }) & { readonly pushes?: boolean },
): Adapter {
  const storage = "storage" in options ? options.storage : new MemoryStorage(options);
  return new MemoryAdapter(storage, options.pushes ?? true);
}

class MemoryAdapter implements Adapter {
  readonly supports: AdapterSupports;
  readonly #storage: MemoryStorage;
  readonly life = 0;
  readonly pushes?: MemoryPushes;
  #registrationsSeen = 0;
  #closed = false;

  constructor(storage: MemoryStorage, pushes: boolean) {
    this.#storage = storage;
    this.supports = Object.freeze({ ...supports, ...storage.supports });
    if (pushes) this.pushes = new MemoryPushes(storage.feed);
  }

  get registrationsSeen(): number {
    return this.#registrationsSeen;
  }

  shardOf(_key: string): number {
    return 0;
  }

  async getMany(keys: readonly string[], options?: ReadOptions): Promise<readonly ReadAnswer[]> {
    this.#begin(options);
    checkBatchSize(keys.length);
    for (const key of keys) checkKey(key);
    const entries = this.#storage.read(keys);
    const asOf = this.#position();
    const tenure = options?.strong === "hold" ? this.pushes?.tenure : undefined;
    return keys.map((key, at) => {
      const entry = entries[at];
      // What ends by itself would end without a word.
      const holds = tenure !== undefined && entry !== undefined && entry.expiresInMs === undefined;
      return { key, entry, asOf, ...(holds ? { tenure } : {}) };
    });
  }

  async batch(mutations: readonly Mutation[], options?: CallOptions): Promise<readonly MutationAnswer[]> {
    this.#begin(options);
    checkBatchSize(mutations.length);
    const verdicts = this.#storage.apply(mutations);
    const asOf = this.#position();
    return verdicts.map((verdict, at) => ({ ...namedKey(mutations[at]), verdict, asOf }));
  }

  async transact(transaction: Transaction, options?: CallOptions): Promise<TransactionAnswer> {
    this.#begin(options);
    checkTransactionShape(transaction);
    const verdict = this.#storage.transact(transaction);
    return { verdict, asOf: this.#position() };
  }

  async resolve(
    operations: readonly { readonly opId: string }[],
    options: CallOptions & { readonly seal?: boolean } = {},
  ): Promise<readonly Resolution[]> {
    this.#begin(options);
    return this.#storage.resolve(
      operations.map(({ opId }) => opId),
      options.seal ?? false,
    );
  }

  async list(options: ListOptions = {}): Promise<ListAnswer> {
    this.#begin(options);
    const resolved = resolveList(options);
    const { items, more } = this.#storage.list(resolved);
    const last = items.at(-1);
    const cursor = more && last !== undefined ? listCursor(last.key, resolved.prefix) : undefined;
    return { items, cursor, asOf: [this.#position()] };
  }

  async changes(since: Position, options?: CallOptions): Promise<ChangesAnswer> {
    this.#begin(options);
    const answer = this.#storage.changes(since, maxChangesLimit);
    this.#position();
    return answer;
  }

  async readVersion(
    key: string,
    which: VersionRequest["which"],
    options?: CallOptions,
  ): Promise<VersionAnswer> {
    this.#begin(options);
    checkKey(key);
    return { found: this.#storage.readVersion(key, which), asOf: this.#position() };
  }

  async history(
    key: string,
    options: CallOptions & { readonly before?: number; readonly limit?: number } = {},
  ): Promise<HistoryAnswer> {
    this.#begin(options);
    checkKey(key);
    const page = this.#storage.history(key, options.before, options.limit ?? defaultListLimit);
    return { ...page, asOf: this.#position() };
  }

  async claimLoad(request: Claiming, options?: CallOptions): Promise<ClaimReply["claim"]> {
    this.#begin(options);
    return await this.#storage.claimLoad(request);
  }

  async space(options?: CallOptions): Promise<SpaceSettings | undefined> {
    this.#begin(options);
    this.#position();
    return this.#storage.space;
  }

  async registrations(
    options?: CallOptions,
  ): Promise<{ readonly version: number; readonly list: readonly StoredRegistration[] }> {
    this.#begin(options);
    const list = this.#storage.registrations();
    this.#position();
    return { version: this.#registrationsSeen, list };
  }

  async register(
    pattern: string,
    settings: RegistrationSettings,
    options: CallOptions & { readonly ifVersion?: number } = {},
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    this.#begin(options);
    checkSupported(settings, this.supports);
    const answer = this.#storage.register(pattern, settings, options.ifVersion);
    this.#position();
    return answer;
  }

  async unregister(pattern: string, options?: CallOptions): Promise<boolean> {
    this.#begin(options);
    const removed = this.#storage.unregister(pattern);
    this.#position();
    return removed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.pushes?.close();
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "this adapter is closed");
    checkCallLimits(options);
  }

  /** The position of an answer. What the answer mentions is seen with it. */
  #position(): Position {
    this.#registrationsSeen = this.#storage.registrationVersion;
    return this.#storage.position;
  }
}

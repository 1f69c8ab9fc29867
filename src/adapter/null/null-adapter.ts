import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { checkMutation, mutationPrint, preconditionHolds } from "../../protocol/mutation.ts";
import type { Position } from "../../protocol/position.ts";
import type { StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, Resolution } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { VerdictMemory } from "../../protocol/verdict-memory.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import { defaultMaxValueBytes } from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
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
  Verdict,
  VersionAnswer,
} from "../adapter.ts";
import { checkBatchSize, namedKey } from "../batch.ts";
import { resolveList } from "../list-page.ts";

/** What a {@link nullAdapter} is made of. */
export interface NullAdapterOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Largest value, in bytes. Default 1,048,576. */
  readonly maxValueBytes?: number;
}

const supports: AdapterSupports = Object.freeze({
  storage: false,
  atomicBatch: false,
  changes: false,
  registrations: false,
  persistent: false,
  history: false,
  claims: false,
  transactions: false,
  merge: false,
  quorum: false,
  leases: false,
  fences: false,
});

/**
 * No storage: for a Warp whose only store is its L1. It gives mutations their versions and remembers their op ids, and every read finds the
 * key absent, so a precondition sees every key as absent.
 */
export function nullAdapter(options: NullAdapterOptions): Adapter {
  return new NullAdapter(options);
}

class NullAdapter implements Adapter {
  readonly supports = supports;
  readonly registrationsSeen = 0;
  readonly life = 0;
  readonly #clock: Clock;
  readonly #epoch: string;
  readonly #space: SpaceSettings;
  readonly #maxValueBytes: number;
  readonly #verdicts = new VerdictMemory();
  #revision = 0;
  #closed = false;

  constructor(options: NullAdapterOptions) {
    const { clock, random } = options;
    this.#clock = clock;
    this.#epoch = randomHex(random, 8);
    this.#maxValueBytes = options.maxValueBytes ?? defaultMaxValueBytes;
    const createdAtMs = Math.floor(clock.now());
    this.#space = { name: "null", id: randomHex(random, 8), shards: 1, strict: false, createdAtMs };
  }

  shardOf(_key: string): number {
    return 0;
  }

  async getMany(keys: readonly string[], options?: CallOptions): Promise<readonly ReadAnswer[]> {
    this.#begin(options);
    checkBatchSize(keys.length);
    for (const key of keys) checkKey(key);
    const asOf = this.#position();
    return keys.map((key) => ({ key, entry: undefined, asOf }));
  }

  async batch(mutations: readonly Mutation[], options?: CallOptions): Promise<readonly MutationAnswer[]> {
    this.#begin(options);
    checkBatchSize(mutations.length);
    const nowMs = this.#clock.now();
    const verdicts = mutations.map((mutation) => this.#apply(mutation, nowMs));
    const asOf = this.#position();
    return verdicts.map((verdict, at) => ({ ...namedKey(mutations[at]), verdict, asOf }));
  }

  async transact(_transaction: unknown, options?: CallOptions): Promise<TransactionAnswer> {
    this.#begin(options);
    throw unsupported("transactions");
  }

  async resolve(
    operations: readonly { readonly opId: string }[],
    options: CallOptions & { readonly seal?: boolean } = {},
  ): Promise<readonly Resolution[]> {
    this.#begin(options);
    const opIds = operations.map(({ opId }) => opId);
    return this.#verdicts.resolve(opIds, options.seal ?? false, this.#clock.now());
  }

  async list(options: ListOptions = {}): Promise<ListAnswer> {
    this.#begin(options);
    resolveList(options);
    return { items: [], cursor: undefined, asOf: [this.#position()] };
  }

  async changes(_since: Position, options?: CallOptions): Promise<ChangesAnswer> {
    this.#begin(options);
    throw unsupported("changes");
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
    return this.#space;
  }

  async registrations(
    options?: CallOptions,
  ): Promise<{ readonly version: number; readonly list: readonly StoredRegistration[] }> {
    this.#begin(options);
    throw unsupported("registrations");
  }

  async register(
    _pattern: string,
    _settings: unknown,
    options?: CallOptions,
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    this.#begin(options);
    throw unsupported("registrations");
  }

  async unregister(_pattern: string, options?: CallOptions): Promise<boolean> {
    this.#begin(options);
    throw unsupported("registrations");
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #apply(mutation: Mutation, nowMs: number): Verdict {
    const refused = checkMutation(mutation, nowMs, this.#maxValueBytes);
    if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
    const print = mutationPrint(mutation);
    const known = this.#verdicts.recall<Verdict>(mutation.opId, print);
    if (known !== undefined) return known;
    const verdict = this.#carryOut(mutation);
    this.#verdicts.keep(mutation.opId, { print, verdict }, nowMs);
    return verdict;
  }

  #carryOut(mutation: Mutation): Verdict {
    if (mutation.kind === "restore") return { outcome: "fail", error: unsupported("versions").toData() };
    if (mutation.kind === "merge") return { outcome: "fail", error: unsupported("values to merge").toData() };
    if ("guard" in mutation && mutation.guard !== undefined) {
      return { outcome: "fail", error: unsupported("locks").toData() };
    }
    if (mutation.kind === "set" && mutation.lease !== undefined) {
      return { outcome: "fail", error: unsupported("leases").toData() };
    }
    if ("when" in mutation && mutation.when !== undefined && !preconditionHolds(mutation.when, undefined)) {
      const error = new WarpError("precondition_failed", "the key does not exist", {
        details: { version: 0 },
      });
      return { outcome: "fail", error: error.toData() };
    }
    // A delete moves the position too, although nothing was stored: copies from before it are to be told from later ones.
    const revision = ++this.#revision;
    return { outcome: "ok", version: mutation.kind === "set" ? revision : 0, revision, existed: false };
  }

  #begin(options: CallLimits | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "this adapter is closed");
    checkCallLimits(options);
  }

  #position(): Position {
    return { shard: 0, epoch: this.#epoch, revision: this.#revision };
  }
}

function unsupported(what: string): WarpError {
  return new WarpError("unsupported", `the null adapter keeps no ${what}: it stores nothing`);
}

import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { checkMutation, mutationPrint } from "../../protocol/mutation.ts";
import { checkResolveCount, resolutionOf } from "../../protocol/outcomes.ts";
import type { Position } from "../../protocol/position.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, Resolution } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { checkCallLimits } from "../../runtime/call-limits.ts";
import { maxChangesLimit } from "../../runtime/limits.ts";
import { listOf, type Reply, stringOf, textOf } from "../../upstash/reply.ts";
import type {
  Adapter,
  AdapterSupports,
  CallOptions,
  ChangesAnswer,
  HistoryAnswer,
  ListAnswer,
  ListedKey,
  ListOptions,
  Mutation,
  MutationAnswer,
  ReadAnswer,
  TransactionAnswer,
  Verdict,
  VersionAnswer,
} from "../adapter.ts";
import { checkBatchSize, namedKey } from "../batch.ts";
import { listCursor, resolveList } from "../list-page.ts";
import { checkSupported } from "../supported.ts";
import { entryOf, listedKey, logEntry } from "./entries.ts";
import { type ResolvedUpstashAdapter, resolveOptions, type UpstashAdapterOptions } from "./options.ts";
import { changesScript, listScript, readScript } from "./scripts/reads.ts";
import { spaceFactsScript } from "./scripts/space.ts";
import { batchScript, resolveScript } from "./scripts/writes.ts";
import { UpstashRegistrations } from "./upstash-registrations.ts";
import { UpstashSpace } from "./upstash-space.ts";
import {
  mutationArguments,
  outcomeOf,
  refused,
  unsupported,
  unsupportedMutation,
  verdictOf,
} from "./verdicts.ts";

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
 * versions, op ids, registrations and a bounded log. See `docs/upstash.md` for what it promises and costs. Throws `invalid_argument`, `invalid_space`.
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
  #closed = false;

  constructor(options: ResolvedUpstashAdapter) {
    this.#options = options;
    this.#space = new UpstashSpace(options);
    this.#registrations = new UpstashRegistrations(this.#space);
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
    const answers: ReadAnswer[] = [];
    // An answer holds as many as fit.
    while (answers.length < keys.length) {
      const asked = keys.slice(answers.length);
      const { asOf, nowMs, rest } = await this.#space.run(readScript, asked, "read", options);
      const forms = listOf(rest[0] ?? []);
      if (forms.length === 0) throw new WarpError("storage_unavailable", "the storage answered nothing");
      forms.forEach((form, at) => {
        const key = asked[at] ?? "";
        answers.push({ key, entry: entryOf(key, stringOf(form), asOf, nowMs), asOf });
      });
    }
    return answers;
  }

  async batch(mutations: readonly Mutation[], options?: CallOptions): Promise<readonly MutationAnswer[]> {
    this.#begin(options);
    checkBatchSize(mutations.length);
    if (mutations.length === 0) return [];
    const nowMs = this.#options.clock.now();
    const verdicts = mutations.map((mutation): Verdict | undefined => {
      const wrong = checkMutation(mutation, nowMs, this.#options.maxValueBytes);
      const error = wrong ?? unsupportedMutation(mutation);
      return error === undefined ? undefined : refused(error);
    });
    const { asOf, answers } = await this.#apply(
      mutations.filter((_, at) => verdicts[at] === undefined),
      options,
    );
    let next = 0;
    return mutations.map((mutation, at) => {
      const verdict = verdicts[at] ?? verdictOf(stringOf(answers[next++]));
      return { ...namedKey(mutation), verdict, asOf };
    });
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
    const resolutions = await this.#recall(operations, false, options);
    if (options.seal !== true || resolutions.every(({ state }) => state !== "unseen")) return resolutions;
    const sealed = await this.#recall(operations, true, options);
    return sealed.map((one) => (one.state === "unseen" ? { state: "sealed" } : one));
  }

  async list(options: ListOptions = {}): Promise<ListAnswer> {
    this.#begin(options);
    const { prefix, limit, after, values } = resolveList(options);
    if (after !== undefined && !after.startsWith(prefix)) {
      throw new WarpError("invalid_cursor", "a list's cursor is what the page before it gave, unchanged");
    }
    const request = [prefix, after ?? "", `${limit}`, values ? "1" : "0"];
    const { asOf, nowMs, rest } = await this.#space.run(listScript, request, "read", options);
    const [told = [], more] = rest;
    const forms = listOf(told).map(stringOf);
    const items: ListedKey[] = [];
    for (let i = 0; i < forms.length; i += 2) {
      items.push(listedKey(textOf(forms[i] ?? ""), forms[i + 1] ?? "", asOf, nowMs));
    }
    const last = items.at(-1);
    const cursor = more === "1" && last !== undefined ? listCursor(last.key, prefix) : undefined;
    return { items, cursor, asOf: [asOf] };
  }

  async changes(since: Position, options?: CallOptions): Promise<ChangesAnswer> {
    this.#begin(options);
    const request = [since.epoch, `${since.revision}`, `${maxChangesLimit}`];
    const { asOf, rest } = await this.#space.run(changesScript, request, "read", options);
    const [how, entries = []] = rest;
    if (how === "epoch" || how === "compacted") return { changes: [], to: asOf, complete: true, gap: how };
    const changes = listOf(entries).map((entry) => logEntry(textOf(stringOf(entry))));
    const last = changes.at(-1);
    const revision = changes.length < maxChangesLimit ? asOf.revision : (last?.revision ?? asOf.revision);
    const complete = revision === asOf.revision;
    return { changes, to: { ...asOf, revision }, complete, gap: undefined };
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
    const prefix = `${this.#space.prefix}v:`;
    const words = ["SCAN", cursor, "MATCH", `${prefix}*`, "COUNT", "500"];
    const [next = "0", found = []] = listOf(await this.#options.redis.command(words, "read", options));
    const keys = listOf(found).flatMap((name) => keyOf(stringOf(name), prefix.length));
    for (let i = 0; i < keys.length; i += 500) await this.getMany(keys.slice(i, i + 500), options);
    return next === "0" ? undefined : stringOf(next);
  }

  /** In a strict space by the registrations as they are: found to be others, they are read again. */
  async #apply(
    mutations: readonly Mutation[],
    options: CallOptions | undefined,
  ): Promise<{ readonly asOf: Position; readonly answers: readonly Reply[] }> {
    for (;;) {
      const values = mutations.flatMap((mutation) => {
        // `unsupportedMutation` has taken the others out.
        if (mutation.kind === "restore" || mutation.kind === "merge") return [];
        const isCovered = "key" in mutation && this.#registrations.covers(mutation.key);
        return mutationArguments(mutation, mutationPrint(mutation), isCovered);
      });
      const request = [`${this.#registrations.version}`, ...values];
      const { asOf, rest } = await this.#space.run(batchScript, request, "write", options);
      if (rest[0] !== "stale") return { asOf, answers: listOf(rest[0] ?? []) };
      await this.#registrations.read(options);
    }
  }

  async #recall(
    operations: readonly { readonly opId: string; readonly key?: string }[],
    seal: boolean,
    options: CallOptions,
  ): Promise<readonly Resolution[]> {
    const nowMs = this.#options.clock.now();
    // What is no op id is refused before it is looked for.
    for (const { opId } of operations) resolvable(opId, nowMs);
    const request = [seal ? "1" : "0", ...operations.map(({ opId }) => opId)];
    const { rest } = await this.#space.run(resolveScript, request, seal ? "write" : "read", options);
    const records = listOf(rest[0] ?? []);
    return operations.map(({ opId, key }, at) =>
      resolutionOf(opId, outcomeOf(stringOf(records[at]), key === undefined), nowMs),
    );
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "this adapter is closed");
    checkCallLimits(options);
  }
}

/** Throws `invalid_op_id` for what has no time, or one ahead: the scripts go by it. */
function resolvable(opId: string, nowMs: number): void {
  try {
    resolutionOf(opId, undefined, nowMs);
  } catch (error) {
    if (!(error instanceof WarpError && error.code === "op_id_expired")) throw error;
  }
}

/** The key behind a name in Redis; none where it can't be one of ours. */
function keyOf(name: string, from: number): readonly string[] {
  try {
    const key = textOf(name).slice(from);
    checkKey(key);
    return [key];
  } catch {
    // Others may name theirs as they like; what is no key can't be read through Warp.
    return [];
  }
}

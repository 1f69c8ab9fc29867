import { WarpError } from "../errors.ts";
import { shardOf } from "../protocol/key.ts";
import type { Claiming } from "../protocol/load-claims.ts";
import { checkResolveCount } from "../protocol/outcomes.ts";
import type { Position } from "../protocol/position.ts";
import type { Pushes } from "../protocol/pushes.ts";
import type { RegistrationSettings, StoredRegistration } from "../protocol/registration.ts";
import type {
  Change,
  ClaimReply,
  HistoryReply,
  HistoryRequest,
  Mutation,
  Resolution,
  ShardStamp,
  StoredEntry,
  Verdict,
  VersionReply,
  VersionRequest,
} from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { Transaction, TransactionVerdict } from "../protocol/transaction.ts";
import { checkTransactionShape } from "../protocol/transaction-rules.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Timers } from "../runtime/clock.ts";
import { maxChangesLimit } from "../runtime/limits.ts";
import { withOutcome } from "./attempt.ts";
import {
  listSpace,
  type SpaceListRequest,
  type SpacePage,
  type StoredPage,
  storedKeys,
} from "./list-space.ts";
import { type Placed, positionOf, ShardCalls } from "./shard-calls.ts";
import type { ShardConnection } from "./shard-connection.ts";
import { gather, groupByShard } from "./shard-groups.ts";
import { type Intent, type Send, SpaceSession } from "./space-session.ts";
import { type AskedOperation, mutateSpace, resolveSpace, transactSpace } from "./space-writes.ts";
import type { Watching } from "./watching.ts";

/** What a {@link SpaceClient} is made of. */
export interface SpaceClientOptions {
  readonly connection: ShardConnection;
  /** For the deadlines of its calls. */
  readonly timers: Timers;
}

/** What happened in one shard. */
export interface SpaceChanges {
  readonly changes: readonly Change[];
  readonly to: Position;
  readonly complete: boolean;
  readonly gap: "compacted" | "epoch" | undefined;
}

/**
 * A space as its nodes use it: knows which shard a key lies in, asks shards side by side and puts their answers together.
 *
 * Every call takes a deadline and a signal. Reads that find a shard unreachable are repeated once. Mutations never are: when their fate is
 * unknown the error says so by its outcome, and the caller may repeat them with the same op ids.
 */
export class SpaceClient {
  readonly #session: SpaceSession;

  constructor({ connection, timers }: SpaceClientOptions) {
    this.#session = new SpaceSession(connection, timers);
  }

  /** Shards of the space as last seen; 1 while nothing has been seen. */
  get shards(): number {
    return this.#session.settings?.shards ?? 1;
  }

  /** The newest registration version that any answer has mentioned. */
  get registrationsSeen(): number {
    return this.#session.registrationsSeen;
  }

  /** Grows when the space is found gone, or to be another one than before. */
  get life(): number {
    return this.#session.life;
  }

  /** The settings as the home shard has them now; undefined: the space does not exist. */
  space(limits?: CallLimits): Promise<SpaceSettings | undefined> {
    return this.#session.fetch(limits);
  }

  /** What the shards tell unasked; undefined: nothing. */
  get pushes(): Pushes | undefined {
    return this.#session.pushes;
  }

  /** Undefined: nothing can be watched over this connection. */
  get watching(): Watching | undefined {
    return this.#session.watching;
  }

  /** The entries of `keys`, in order; `strong`: the newest, `hold`: to be held for strong reads as well. Throws `space_not_found`. */
  read(
    keys: readonly string[],
    limits?: CallLimits & { readonly strong?: "read" | "hold" },
  ): Promise<readonly Placed<StoredEntry | undefined>[]> {
    return this.run("read", limits, async (calls) => {
      const { shards } = calls.space;
      const groups = groupByShard(keys, (key) => shardOf(key, shards), shards);
      const answers = await Promise.all(
        groups.map(({ shard, items }) => calls.read(shard, items, limits?.strong)),
      );
      return gather(groups, answers).map(([answer]) => answer);
    });
  }

  /** One kept version: the one of a number, or what was present at a time. Throws `version_compacted`, `invalid_version`, `space_not_found`. */
  readVersion(
    key: string,
    which: VersionRequest["which"],
    limits?: CallLimits,
  ): Promise<Placed<VersionReply["found"]>> {
    return this.#ask(key, limits, async (ask) => {
      const { answer, asOf } = await ask((api, scope) => api.readVersion({ ...scope, key, which }));
      return { answer: answer.found, asOf };
    });
  }

  /** A page of a key's kept versions, newest first. Throws `space_not_found`. */
  history(
    request: Pick<HistoryRequest, "key" | "before" | "limit">,
    limits?: CallLimits,
  ): Promise<Placed<Pick<HistoryReply, "versions" | "more" | "floor">>> {
    return this.#ask(request.key, limits, async (ask) => {
      const { answer, asOf } = await ask((api, scope) => api.history({ ...scope, ...request }));
      const { versions, more, floor } = answer;
      return { answer: { versions, more, floor }, asOf };
    });
  }

  /** Asks to be the one that loads a key for all nodes. The wait for another's load is within the call's deadline. */
  claimLoad(request: Claiming, limits?: CallLimits): Promise<ClaimReply["claim"]> {
    return this.#ask(request.key, limits, async (ask) => {
      const { answer } = await ask((api, scope) => api.claimLoad({ ...scope, ...request }));
      return answer.claim;
    });
  }

  /**
   * Carries out mutations; those of one shard in one commit and in their order. The answers stand in order, one for each mutation; a
   * prefix or a tag goes to every shard and has one answer of each. Throws `batch_too_large` where those of one shard have more than 16 MiB of
   * values.
   */
  mutate(
    mutations: readonly Mutation[],
    limits?: CallLimits,
  ): Promise<readonly (readonly [Placed<Verdict>, ...Placed<Verdict>[]])[]> {
    const progress = { acted: false };
    const call = this.run("mutation", limits, (calls) => mutateSpace(calls, mutations, progress));
    // One shard's definite no is not the whole call's where another shard has acted.
    return call.catch((error: unknown) => {
      throw progress.acted && error instanceof WarpError ? withOutcome(error, "unknown") : error;
    });
  }

  /**
   * All of a transaction at one revision, or nothing. Throws `cross_shard`, and before anything is sent `batch_too_large`, `duplicate_key` and what else
   * `checkTransactionShape` finds.
   */
  async transact(transaction: Transaction, limits?: CallLimits): Promise<Placed<TransactionVerdict>> {
    checkTransactionShape(transaction);
    return await this.run("mutation", limits, (calls) => transactSpace(calls, transaction));
  }

  /**
   * What became of operations, at most 1,000, in order. With `seal` those that were not seen are refused from now on, in every shard where they could
   * arrive. Throws `op_id_expired` for one that is not known and too old to be.
   */
  async resolve(
    operations: readonly AskedOperation[],
    { seal = false, ...limits }: CallLimits & { readonly seal?: boolean } = {},
  ): Promise<readonly Resolution[]> {
    checkResolveCount(operations.length);
    return await this.run(seal ? "mutation" : "read", limits, (calls) =>
      resolveSpace(calls, operations, seal),
    );
  }

  /** A page of keys in order of their bytes. Throws `space_not_found`. */
  list(request: SpaceListRequest, limits?: CallLimits): Promise<SpacePage> {
    return this.run("read", limits, (calls) => listSpace(calls, request));
  }

  /** A page of names under a prefix that the storage behind the space has; none where there is no storage. Throws `space_not_found` and what the storage does. */
  stored(prefix: string, cursor: string | undefined, limits?: CallLimits): Promise<StoredPage> {
    return this.run("read", limits, (calls) => storedKeys(calls, prefix, cursor));
  }

  /** What happened in `since.shard` after `since`, at most 10,000 entries. Throws `space_not_found`. */
  changes(since: Position, limits?: CallLimits): Promise<SpaceChanges> {
    return this.run("read", limits, async (calls) => {
      const { shard, epoch, revision } = since;
      if (shard >= calls.space.shards) {
        // The position is from another life of the space, which had more shards.
        return {
          changes: [],
          to: { shard, epoch: "0".repeat(16), revision: 0 },
          complete: true,
          gap: "epoch",
        };
      }
      const reply = await calls.ask("read", shard, (api, scope) =>
        api.changes({ ...scope, epoch, since: revision, limit: maxChangesLimit }),
      );
      return {
        changes: reply.changes,
        to: { ...positionOf(shard, reply), revision: reply.to },
        complete: reply.to === reply.asOf,
        gap: reply.gap,
      };
    });
  }

  /** The registrations kept with the space. Throws `space_not_found`. */
  registrations(
    limits?: CallLimits,
  ): Promise<{ readonly version: number; readonly list: readonly StoredRegistration[] }> {
    return this.run("read", limits, async (calls) => {
      const reply = await calls.ask("read", 0, (home, scope) => home.getRegistrations(scope));
      return { version: reply.registrations, list: reply.list };
    });
  }

  register(
    pattern: string,
    settings: RegistrationSettings,
    ifVersion: number | undefined,
    limits?: CallLimits,
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    return this.run("mutation", limits, async (calls) => {
      const version = ifVersion === undefined ? {} : { ifVersion };
      const { registration, created } = await calls.ask("mutation", 0, (home, scope) =>
        home.register({ ...scope, pattern, settings, ...version }),
      );
      return { registration, created };
    });
  }

  unregister(pattern: string, limits?: CallLimits): Promise<boolean> {
    return this.run("mutation", limits, async (calls) => {
      const reply = await calls.ask("mutation", 0, (home, scope) => home.unregister({ ...scope, pattern }));
      return reply.removed;
    });
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Asks the shard of one key, as a read. */
  #ask<T>(
    key: string,
    limits: CallLimits | undefined,
    work: (ask: <R extends ShardStamp>(send: Send<R>) => Promise<Placed<R>>) => Promise<T>,
  ): Promise<T> {
    return this.run("read", limits, (calls) =>
      work(async (send) => {
        const shard = shardOf(key, calls.space.shards);
        const answer = await calls.ask("read", shard, send);
        return { answer, asOf: positionOf(shard, answer) };
      }),
    );
  }

  /** Runs `work` under one attempt and one picture of the space, a second time where a shard found that picture old. */
  run<T>(
    intent: Intent,
    limits: CallLimits | undefined,
    work: (calls: ShardCalls) => Promise<T>,
  ): Promise<T> {
    return this.#session.run(intent, limits, (space, attempt) =>
      work(new ShardCalls(this.#session, space, attempt)),
    );
  }
}

import { DurableObject } from "cloudflare:workers";
import { workersClock, workersRandom, workersSql, workersTimers } from "../platform/workers.ts";
import type {
  CallScope,
  ChangesRequest,
  ClaimRequest,
  HistoryRequest,
  ListRequest,
  MutateRequest,
  ReadRequest,
  RegisterRequest,
  ResolveRequest,
  RpcShardApi,
  SpaceOptionsData,
  TransactRequest,
  UnregisterRequest,
  VersionRequest,
} from "../protocol/shard-api.ts";
import { shardName } from "../protocol/space.ts";
import { each } from "../shard/each.ts";
import { Shard } from "../shard/shard.ts";
import { readShardConfig, type ShardEnv } from "./shard-config.ts";
import { ShardMetrics, type ShardMetricsEnv } from "./shard-metrics.ts";

/** The bindings that a shard's object needs. */
export interface WarpShardEnv extends ShardEnv, ShardMetricsEnv {
  readonly SHARDS: DurableObjectNamespace<WarpShard>;
}

/**
 * The Durable Object of one shard: fits the platform's storage, alarm and stubs to {@link Shard}, and does nothing else. The class
 * name and its storage live in users' accounts for ever.
 */
export class WarpShard extends DurableObject<WarpShardEnv> implements RpcShardApi {
  readonly #shard: Shard;
  readonly #metrics: ShardMetrics;

  constructor(ctx: DurableObjectState, env: WarpShardEnv) {
    super(ctx, env);
    const { storage } = ctx;
    this.#shard = new Shard({
      ...readShardConfig(env),
      sql: workersSql(storage),
      clock: workersClock,
      random: workersRandom,
      timers: workersTimers,
      // Part of the transaction it is set in: an alarm is as durable as what it is for.
      alarm: { set: (atMs) => void storage.setAlarm(atMs) },
      durable: () => storage.sync(),
      wipe: async () => {
        await storage.deleteAlarm();
        await storage.deleteAll();
      },
      databaseBytes: () => storage.sql.databaseSize,
      home: (space) => env.SHARDS.get(env.SHARDS.idFromName(shardName(space, 0))),
    });
    this.#metrics = new ShardMetrics(this.#shard, env);
  }

  read(request: ReadRequest) {
    return this.#metrics.after(this.#shard.read(request));
  }

  mutate(request: MutateRequest) {
    return this.#metrics.after(this.#shard.mutate(request));
  }

  transact(request: TransactRequest) {
    return this.#metrics.after(this.#shard.transact(request));
  }

  resolve(request: ResolveRequest) {
    return this.#metrics.after(this.#shard.resolve(request));
  }

  mutateMany(requests: readonly MutateRequest[]) {
    return this.#metrics.after(each(requests, (request) => this.#shard.mutate(request)));
  }

  list(request: ListRequest) {
    return this.#shard.list(request);
  }

  changes(request: ChangesRequest) {
    return this.#metrics.after(this.#shard.changes(request));
  }

  usage(request: CallScope) {
    return this.#shard.usage(request);
  }

  readVersion(request: VersionRequest) {
    return this.#metrics.after(this.#shard.readVersion(request));
  }

  history(request: HistoryRequest) {
    return this.#metrics.after(this.#shard.history(request));
  }

  claimLoad(request: ClaimRequest) {
    return this.#shard.claimLoad(request);
  }

  getSpace(space: string) {
    return this.#shard.getSpace(space);
  }

  createSpace(space: string, options: Partial<SpaceOptionsData>) {
    return this.#shard.createSpace(space, options);
  }

  deleteSpace(space: string, step: "begin" | "finish", spaceId?: string) {
    return this.#shard.deleteSpace(space, step, spaceId);
  }

  getRegistrations(request: CallScope) {
    return this.#shard.getRegistrations(request);
  }

  register(request: RegisterRequest) {
    return this.#shard.register(request);
  }

  unregister(request: UnregisterRequest) {
    return this.#shard.unregister(request);
  }

  override alarm(): Promise<void> {
    return this.#metrics.after(this.#shard.onAlarm());
  }
}

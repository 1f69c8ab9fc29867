import { DurableObject } from "cloudflare:workers";
import type { MergeFunctions } from "../merge/merge-function.ts";
import { MergeRules } from "../merge/merge-rules.ts";
import type { LeaseEndRequest, LeaseJoinRequest } from "../protocol/lease.ts";
import type { RelayPull, RelayShardApi, RelayStateRequest } from "../protocol/relay.ts";
import type { RpcShardApi, ShardApi } from "../protocol/shard-api.ts";
import { shardName } from "../protocol/space.ts";
import type { RedeemRequest } from "../protocol/tokens.ts";
import { each } from "../shard/each.ts";
import type { Shard } from "../shard/shard.ts";
import type { Drivers } from "./driver-host.ts";
import { openShard } from "./open-shard.ts";
import type { RelayNamespace } from "./relay-namespace.ts";
import type { ShardEnv } from "./shard-config.ts";
import type { ShardDoor } from "./shard-door.ts";
import { ShardMetrics, type ShardMetricsEnv } from "./shard-metrics.ts";

/** What a call takes. */
type Asked<M extends keyof ShardApi> = Parameters<ShardApi[M]>[0];

/** The bindings that a shard's object needs. */
export interface WarpShardEnv extends ShardEnv, ShardMetricsEnv {
  readonly SHARDS: DurableObjectNamespace<WarpShard>;
  /** Those that serve watchers beyond what one shard takes. Absent: nobody does. */
  readonly RELAYS?: RelayNamespace;
}

/** What a deployment may give its shards beside variables and bindings. */
export interface WarpShardOptions {
  /** Merge rules of the deployment's own, by name. Default: the built-in ones only. */
  readonly merges?: MergeFunctions;
  /** What spaces may have behind and around their shards, by the names that they choose it by; from the object's environment. Default: nothing. */
  readonly drivers?: (env: never) => Partial<Drivers>;
}

/**
 * A {@link WarpShard} with options: `export class WarpShard extends warpShard({ merges: { concat } }) {}`. Throws `invalid_argument` for a name that is
 * malformed or that a built-in rule has, so that such a Worker is refused when it is deployed.
 */
export function warpShard({ merges, drivers }: WarpShardOptions = {}): typeof WarpShard {
  const rules = new MergeRules(merges);
  return class extends WarpShard {
    constructor(ctx: DurableObjectState, env: WarpShardEnv) {
      super(ctx, env, rules, drivers?.(env as never));
    }
  };
}

/**
 * The Durable Object of one shard: fits the platform's storage, alarm and stubs to {@link Shard}, and does nothing else. The class
 * name and its storage live in users' accounts for ever.
 */
export class WarpShard extends DurableObject<WarpShardEnv> implements RpcShardApi, RelayShardApi {
  readonly #shard: Shard;
  readonly #door: ShardDoor;
  readonly #metrics: ShardMetrics;

  /** The platform gives `ctx` and `env` only; the rest comes from {@link warpShard}. */
  constructor(
    ctx: DurableObjectState,
    env: WarpShardEnv,
    merges = new MergeRules(),
    drivers: Partial<Drivers> = {},
  ) {
    super(ctx, env);
    const peer = (space: string, shard: number) =>
      env.SHARDS.get(env.SHARDS.idFromName(shardName(space, shard)));
    const { RELAYS } = env;
    const relay = RELAYS && ((name: string) => RELAYS.get(RELAYS.idFromName(name)));
    ({ shard: this.#shard, door: this.#door } = openShard(ctx, env, { peer, merges, relay, drivers }));
    this.#metrics = new ShardMetrics(this.#shard, env);
  }

  read(request: Asked<"read">) {
    return this.#metrics.after(this.#shard.read(request));
  }

  mutate(request: Asked<"mutate">) {
    return this.#metrics.after(this.#shard.mutate(request));
  }

  transact(request: Asked<"transact">) {
    return this.#metrics.after(this.#shard.transact(request));
  }

  resolve(request: Asked<"resolve">) {
    return this.#metrics.after(this.#shard.resolve(request));
  }

  mutateMany(requests: readonly Asked<"mutate">[]) {
    return this.#metrics.after(each(requests, (request) => this.#shard.mutate(request)));
  }

  list(request: Asked<"list">) {
    return this.#shard.list(request);
  }

  changes(request: Asked<"changes">) {
    return this.#metrics.after(this.#shard.changes(request));
  }

  usage(request: Asked<"usage">) {
    return this.#shard.usage(request);
  }

  readVersion(request: Asked<"readVersion">) {
    return this.#metrics.after(this.#shard.readVersion(request));
  }

  history(request: Asked<"history">) {
    return this.#metrics.after(this.#shard.history(request));
  }

  claimLoad(request: Asked<"claimLoad">) {
    return this.#shard.claimLoad(request);
  }

  getSpace(space: string) {
    return this.#shard.getSpace(space);
  }

  createSpace(...options: Parameters<ShardApi["createSpace"]>) {
    return this.#shard.createSpace(...options);
  }

  deleteSpace(...step: Parameters<ShardApi["deleteSpace"]>) {
    return this.#shard.deleteSpace(...step);
  }

  getRegistrations(request: Asked<"getRegistrations">) {
    return this.#shard.getRegistrations(request);
  }

  register(request: Asked<"register">) {
    return this.#shard.register(request);
  }

  unregister(request: Asked<"unregister">) {
    return this.#shard.unregister(request);
  }

  lock(request: Asked<"lock">) {
    return this.#metrics.after(this.#shard.lock(request));
  }

  waitLock(request: Asked<"waitLock">) {
    return this.#metrics.after(this.#shard.waitLock(request));
  }

  lockInfo(request: Asked<"lockInfo">) {
    return this.#shard.lockInfo(request);
  }

  listLocks(request: Asked<"listLocks">) {
    return this.#shard.listLocks(request);
  }

  observe(request: Asked<"observe">) {
    return this.#shard.observe(request);
  }

  lease(request: Asked<"lease">) {
    return this.#metrics.after(this.#shard.lease(request));
  }

  leaseInfo(request: Asked<"leaseInfo">) {
    return this.#shard.leaseInfo(request);
  }

  listLeases(request: Asked<"listLeases">) {
    return this.#shard.listLeases(request);
  }

  leaseKeys(request: Asked<"leaseKeys">) {
    return this.#shard.leaseKeys(request);
  }

  publish(request: Asked<"publish">) {
    return this.#metrics.after(this.#shard.publish(request));
  }

  pullRelay(request: RelayPull) {
    return this.#shard.watching.relays.pullRelay(request);
  }

  relayState(request: RelayStateRequest) {
    return this.#shard.watching.relays.relayState(request);
  }

  joinLease(request: LeaseJoinRequest) {
    return this.#metrics.after(this.#shard.leases.joinLease(request));
  }

  endLease(request: LeaseEndRequest) {
    return this.#metrics.after(this.#shard.leases.endLease(request));
  }

  redeem(request: RedeemRequest) {
    return this.#metrics.after(this.#shard.tokens.redeem(request));
  }

  override async fetch(request: Request): Promise<Response> {
    return this.#door.open(request);
  }

  override webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    return this.#metrics.after(this.#door.message(ws, data));
  }

  override webSocketClose(ws: WebSocket): void {
    this.#door.closed(ws);
  }

  override webSocketError(ws: WebSocket): void {
    this.#door.closed(ws);
  }

  override alarm(): Promise<void> {
    return this.#metrics.after(this.#shard.onAlarm());
  }
}

export type { MergeFunction, MergeFunctions } from "../merge/merge-function.ts";
export type { DriverHost, DriverMakers, Drivers } from "./driver-host.ts";

import { DurableObject } from "cloudflare:workers";
import { rpcFault } from "../connection/rpc/rpc-connection.ts";
import { workersClock, workersLog, workersRandom, workersSql, workersTimers } from "../platform/workers.ts";
import { parseWatchers } from "../protocol/config.ts";
import { type RelayApi, type RelayFeed, type RelayShardApi, relayHeader } from "../protocol/relay.ts";
import type { ShardApi } from "../protocol/shard-api.ts";
import { shardName } from "../protocol/space.ts";
import { callerHeader, parseCaller } from "../protocol/wire/caller.ts";
import { closeCodes } from "../protocol/wire/frames.ts";
import { Relay } from "../relay/relay.ts";
import type { Hub } from "../shard/hub/hub.ts";
import { openDoor } from "./open-door.ts";
import type { ShardEnv } from "./shard-config.ts";
import type { ShardDoor } from "./shard-door.ts";

/** The shards' namespace, as a relay needs it. */
interface RelayedShards<Id = DurableObjectId> {
  idFromName(name: string): Id;
  get(id: Id): ShardApi & RelayShardApi;
}

/** The bindings that a relay's object needs. */
export interface WarpRelayEnv extends ShardEnv {
  readonly SHARDS: RelayedShards;
}

/**
 * The Durable Object of a relay, which serves watchers that its shard has no room for: fits the platform's storage, alarm, sockets and stubs to {@link Relay}.
 * The class name and its storage live in users' accounts for ever.
 */
export class WarpRelay extends DurableObject<WarpRelayEnv> implements RelayApi {
  readonly #relay: Relay;
  readonly #hub: Hub;
  readonly #door: ShardDoor;

  constructor(ctx: DurableObjectState, env: WarpRelayEnv) {
    super(ctx, env);
    const { relay: watchers, socketsPerSecond } = parseWatchers(env);
    this.#relay = new Relay({
      sql: workersSql(ctx.storage),
      clock: workersClock,
      timers: workersTimers,
      random: workersRandom,
      alarm: { set: (atMs) => void ctx.storage.setAlarm(atMs) },
      shard: (space, shard) => env.SHARDS.get(env.SHARDS.idFromName(shardName(space, shard))),
      fault: rpcFault,
      report: (error) => workersLog.error("a relay could not ask its shard; it will try again", { error }),
    });
    const { hub, door } = openDoor(ctx, env, {
      shard: this.#relay.shard,
      watchers,
      socketsPerSecond,
      left: () => this.#relay.left(),
      // Only the shard knows another place.
      elsewhere: () => "full",
    });
    this.#relay.count(() => this.#hub.size);
    this.#hub = hub;
    this.#door = door;
  }

  feed(feed: RelayFeed) {
    return this.#relay.feed(feed);
  }

  override async fetch(request: Request): Promise<Response> {
    const caller = parseCaller(request.headers.get(callerHeader));
    // Who comes in another way is refused at the door.
    if (caller !== undefined) {
      const { space, shard } = caller;
      this.#relay.begin({ space, shard, relay: Number(request.headers.get(relayHeader)) });
      await this.#relay.ready();
    }
    return this.#door.open(request);
  }

  override async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    try {
      const ready = this.#relay.ready();
      if (ready !== undefined) await ready;
    } catch {
      ws.close(closeCodes.overloaded, "overloaded: the shard can't be reached");
      return;
    }
    await this.#door.message(ws, data);
  }

  override webSocketClose(ws: WebSocket): void {
    this.#door.closed(ws);
  }

  override webSocketError(ws: WebSocket): void {
    this.#door.closed(ws);
  }

  override alarm(): void {
    this.#relay.onAlarm();
  }
}

/** The Worker: HTTP in front, the shards behind. Its exports are the handlers and the Durable Object classes, nothing else. */

import { rpcConnection, rpcFault } from "./connection/rpc/rpc-connection.ts";
import { spaceAdmin } from "./connection/space-admin.ts";
import { Core } from "./core/core.ts";
import { WarpNode } from "./core/warp-node.ts";
import { WarpError } from "./errors.ts";
import { createApp } from "./http/app.ts";
import { type HttpEnvironment, readHttpConfig } from "./http/config.ts";
import { problemResponse } from "./http/problem.ts";
import { noReference, type ReferenceSource } from "./http/reference.ts";
import { routes } from "./http/routes/index.ts";
import { meterName, parseMetricsInterval } from "./metrics/config.ts";
import { IsolateMetrics } from "./metrics/isolate-metrics.ts";
import { connectShard, redeemToken } from "./objects/connect.ts";
import { upstashDrivers } from "./objects/upstash-drivers.ts";
import { type WarpShardEnv, warpShard } from "./objects/warp-shard.ts";
import {
  workersBackground,
  workersClock,
  workersLog,
  workersRandom,
  workersSockets,
  workersTimers,
  workersUpgrade,
} from "./platform/workers.ts";
import { edgeSpaces } from "./presets/edge-spaces.ts";
import { requestWatches } from "./presets/request-watches.ts";
import { parseSpaceDefaults } from "./protocol/space-options.ts";
import type { UpstashEnvironment } from "./protocol/upstash-address.ts";
import { randomHex } from "./runtime/ids.ts";
import { version } from "./version.ts";

export { WarpMeter } from "./objects/warp-meter.ts";
export { WarpRelay } from "./objects/warp-relay.ts";

/** With what stands on the deployment's Upstash database, if it has one. */
export class WarpShard extends warpShard({ drivers: upstashDrivers }) {}

type Env = WarpShardEnv &
  HttpEnvironment &
  UpstashEnvironment &
  Required<Pick<WarpShardEnv, "METER">> & {
    /** The files of `public/`. Absent: the deployment has no reference. */
    readonly ASSETS?: Pick<Fetcher, "fetch">;
  };

/** One app for the isolate's life: the environment does not change while it lives. */
let app: ReturnType<typeof createApp> | undefined;

function createEdge(env: Env): ReturnType<typeof createApp> {
  // The objects read it; that it is wrong is said here, where whoever has deployed it will see it.
  const { backings, fallbacks } = upstashDrivers(env);
  parseSpaceDefaults(env, { storages: Object.keys(backings), fallbacks: Object.keys(fallbacks) });
  const onError = (error: unknown) => workersLog.error("the isolate could not report its counts", { error });
  const metrics = new IsolateMetrics({
    reporter: randomHex(workersRandom, 16),
    routes: routes.map((route) => route.path),
    meter: () => env.METER.get(env.METER.idFromName(meterName)),
    figures: () => spaces.stats(),
    clock: workersClock,
    background: workersBackground(onError),
    intervalMs: parseMetricsInterval(env.WARP_METRICS_INTERVAL_MS),
    onError,
  });
  const spaces = edgeSpaces(
    env,
    (options) => new WarpNode(new Core(options), options),
    (warp) => metrics.listen(warp),
    Object.keys(fallbacks).length === 0 ? undefined : fallbacks,
  );
  return createApp({
    warp: (space) => spaces.warp(space),
    spaces: spaceAdmin({
      connect: (space) => rpcConnection({ namespace: env.SHARDS, space }),
      timers: workersTimers,
    }),
    config: readHttpConfig(env, version),
    clock: workersClock,
    random: workersRandom,
    log: workersLog,
    timers: workersTimers,
    metrics,
    // An object that goes away while the socket is opened is unavailable: nodes try again.
    connect: (caller) =>
      connectShard(env, caller).catch((error: unknown) => {
        throw rpcFault(error);
      }),
    redeem: (request) =>
      redeemToken(env.SHARDS, request).catch((error: unknown) => {
        throw rpcFault(error);
      }),
    watching: {
      open: (caller) =>
        requestWatches({
          calls: rpcConnection({ namespace: env.SHARDS, space: caller.space }),
          sockets: (shard) => workersSockets(() => connectShard(env, { ...caller, shard })),
          ...{ timers: workersTimers, clock: workersClock, random: workersRandom },
        }),
      upgrade: workersUpgrade,
      timers: workersTimers,
    },
    ...(env.ASSETS && { reference: referenceIn(env.ASSETS) }),
  });
}

/** The reference among the deployment's files. */
function referenceIn(assets: Pick<Fetcher, "fetch">): ReferenceSource {
  return async (file) => {
    const response = await assets.fetch(`https://assets/reference/${file}`);
    if (response.ok) return await response.text();
    throw noReference();
  };
}

/** What every request is answered while the configuration is wrong: whoever deployed it must see why. */
function misconfigured(error: unknown): Response {
  workersLog.error("the deployment's configuration is wrong", { error });
  // Messages about settings name the setting, never its value.
  const why = error instanceof WarpError ? error.message : "see the log";
  return problemResponse(new WarpError("misconfigured", why).toData(), "none");
}

export default {
  fetch(request, env) {
    try {
      app ??= createEdge(env);
    } catch (error) {
      return misconfigured(error);
    }
    return app.fetch(request);
  },
} satisfies ExportedHandler<Env>;

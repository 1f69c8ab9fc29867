import { createWarp, type EdgeEnv } from "warp-edge/edge";
import { type Drivers, warpShard } from "warp-edge/shard";
import { upstashBacking } from "warp-edge/upstash";

interface Env extends EdgeEnv {
  readonly UPSTASH_REDIS_REST_URL: string;
  readonly UPSTASH_REDIS_REST_TOKEN: string;
}

/** What spaces may have behind their shards, by the names under which they choose it. */
const drivers = (env: Env): Partial<Drivers> => ({
  backings: {
    upstash: (space, host) => {
      const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = env;
      return upstashBacking({ url, token, space, ...host });
    },
  },
});

export class WarpShard extends warpShard({ drivers }) {}

export default {
  async fetch(_request: Request, env: Env): Promise<Response> {
    const carts = createWarp(env, { space: "carts" });
    await carts.set("lamp", { pieces: 2 });
    return Response.json(await carts.get("lamp"));
  },
};

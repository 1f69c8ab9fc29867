import { createWarp, type EdgeEnv } from "warp-edge/edge";

export { WarpShard } from "warp-edge/shard";

interface User {
  readonly name: string;
}

export default {
  async fetch(_request: Request, env: EdgeEnv): Promise<Response> {
    const warp = createWarp(env, { space: "shop" });
    const users = warp.scope<User>("user:*", { mode: "eventual", cacheTtlMs: 600_000 });
    await users.set("1", { name: "Ada" });
    const user = await users.getOrSet("2", async () => ({ name: "Grace" }));
    await warp.txn().compare("seats", { exists: false }).set("seats", 40).set("sold", 0).commit();
    await using lock = await warp.lock("nightly", { ttlMs: 10_000, waitMs: 5_000 });
    await warp.set("report", "done", { guard: lock.guard });
    return Response.json(user);
  },
};

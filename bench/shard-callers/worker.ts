import type { Mutation, ShardApi } from "../../src/protocol/shard-api.ts";
import { isRefusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";

export { WarpShard } from "../../src/objects/warp-shard.ts";

interface Env {
  readonly SHARDS: { idFromName(name: string): unknown; get(id: unknown): ShardApi };
}

const clock = { now: () => Date.now() };
const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
const space = "bench";
const payload = { bytes: new Uint8Array(100).fill(120), contentType: "text/plain" };

/** `/?clients=128&ms=4000`: so many callers put one value after the other by RPC; answers how many puts were answered. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const shard = env.SHARDS.get(env.SHARDS.idFromName(`${space}/0`));
    const created = await shard.createSpace(space, {});
    if (isRefusal(created)) return Response.json(created, { status: 500 });
    const scope = { space, shard: 0, spaceId: created.space.id, registrations: created.registrations };
    const until = Date.now() + Number(query.get("ms"));
    let puts = 0;
    const caller = async (key: string): Promise<void> => {
      while (Date.now() < until) {
        const set: Mutation = { kind: "set", opId: scopeOpId("bench", uuidv7(clock, random)), key, payload };
        const reply = await shard.mutate({ ...scope, mutations: [set] });
        if (isRefusal(reply)) throw new Error(reply.refused.message);
        puts++;
      }
    };
    await Promise.all(
      Array.from({ length: Number(query.get("clients")) }, (_, client) => caller(`key:${client}`)),
    );
    return Response.json({ puts });
  },
};

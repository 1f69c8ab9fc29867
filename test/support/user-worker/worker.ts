/** A user's Worker with Warp inside, whose way to the shards and whose origin can be troubled. */

import { createWarp, type EdgeEnv } from "../../../src/edge.ts";
import { isWarpError, WarpError } from "../../../src/errors.ts";

export { WarpShard } from "../../../src/objects/warp-shard.ts";

type Shards = EdgeEnv["SHARDS"];

interface Env extends EdgeEnv {
  /** Where the values come from that nobody has stored yet. */
  readonly ORIGIN: string;
}

/** What is wrong with this isolate's way to the shards. */
const trouble = { delayMs: 0, fails: false };
let env: Env | undefined;

/** The same namespace, but each call waits and fails as `trouble` says. */
function troubled(shards: Shards): Shards {
  return {
    idFromName: (name) => shards.idFromName(name),
    get: (id) => new Proxy(shards.get(id), { get: (shard, name) => passing(shard as never, String(name)) }),
  };
}

function passing(shard: Record<string, (...given: unknown[]) => unknown>, name: string) {
  return async (...given: unknown[]): Promise<unknown> => {
    if (trouble.delayMs > 0) await new Promise((done) => setTimeout(done, trouble.delayMs));
    if (trouble.fails) throw new Error("Network connection lost.");
    return await shard[name]?.(...given);
  };
}

/** The value of a key as the origin has it. */
async function origin(base: string, key: string, node: string): Promise<unknown> {
  const answer = await fetch(`${base}/${key}?node=${node}`);
  const text = await answer.text();
  if (!answer.ok) throw new WarpError("storage_unavailable", "the origin is away");
  return text;
}

/** `/{call}/{space}/{key}`. */
async function answer(request: Request, env: Env): Promise<unknown> {
  const url = new URL(request.url);
  const [, call = "", space = "", key = ""] = url.pathname.split("/");
  const warp = createWarp(env, { space });
  switch (call) {
    case "read":
      return (await warp.getEntry(key)) ?? { value: null };
    case "write":
      return await warp.set(key, await request.text());
    case "load":
      return {
        value: await warp.getOrSet(key, () => origin(env.ORIGIN, key, url.searchParams.get("node") ?? "")),
      };
    case "stats":
      return warp.stats();
    case "trouble":
      return Object.assign(trouble, await request.json());
    default:
      throw new Error(`no such call: ${call}`);
  }
}

export default {
  async fetch(request: Request, bound: Env): Promise<Response> {
    // One namespace for the isolate's life: the library keeps its nodes by it.
    env ??= { ...bound, SHARDS: troubled(bound.SHARDS) };
    try {
      return Response.json(await answer(request, env));
    } catch (error) {
      const code = isWarpError(error) ? error.code : String(error);
      return Response.json({ error: code }, { status: 500 });
    }
  },
};

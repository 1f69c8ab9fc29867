/** The production Worker, whose shards' objects can be aborted, and tell one instance from the next, and whose isolates can be cut off from them. */

import { shardName } from "../../../../src/protocol/space.ts";
import production, { WarpShard as ProductionShard } from "../../../../src/worker.ts";
import { cuttable, type Way } from "./way.ts";

export { WarpMeter } from "../../../../src/worker.ts";

type Env = Parameters<typeof production.fetch>[1];

/** What the test adds to a shard. */
interface Faulty {
  fault(what: string): Promise<string>;
}

export class WarpShard extends ProductionShard implements Faulty {
  readonly #instance = crypto.randomUUID();

  /** `abort` ends the object as a failure of the platform would, `alarm` tells for when its alarm is set; anything else only which instance this is. */
  async fault(what: string): Promise<string> {
    if (what === "alarm") return String(await this.ctx.storage.getAlarm());
    if (what === "abort") this.ctx.abort("the test aborts this object");
    return this.#instance;
  }
}

/** This isolate's way to all objects. */
const way: Way = { state: "open" };
let cut: Env | undefined;

export default {
  async fetch(request, env) {
    const [, fault, what = "", space = "", shard = "0"] = new URL(request.url).pathname.split("/");
    // One environment for the isolate's life.
    cut ??= { ...env, SHARDS: cuttable(env.SHARDS, way) };
    if (fault !== "fault") return await production.fetch(request, cut);
    if (what === "way") {
      way.state = space as Way["state"];
      return new Response(way.state);
    }
    const stub = env.SHARDS.get(env.SHARDS.idFromName(shardName(space, Number(shard))));
    try {
      return new Response(await (stub as unknown as Faulty).fault(what));
    } catch (error) {
      // An aborted object answers nobody.
      return new Response(String(error), { status: what === "abort" ? 200 : 500 });
    }
  },
} satisfies ExportedHandler<Env>;

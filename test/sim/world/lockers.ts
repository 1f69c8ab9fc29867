import type { SpaceClient } from "../../../src/connection/space-client.ts";
import { SpaceLocks } from "../../../src/connection/space-locks.ts";
import { shardOf } from "../../../src/protocol/key.ts";
import { scopeOpId } from "../../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Clients } from "./client.ts";
import { GuardedWrites } from "./guarded-writes.ts";
import type { Kernel } from "./kernel.ts";
import { factsOf, LockCalls } from "./lock-calls.ts";
import { LockClients } from "./lock-client.ts";
import type { Plan } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { Host, SimNode } from "./sim-node.ts";

/** Those who live with locks in one world. */
export function lockersOf(parts: {
  readonly kernel: Kernel;
  readonly plan: Plan;
  readonly recorder: Recorder;
  readonly clients: Clients;
  readonly node: (at: number) => SimNode;
  readonly admin: { readonly host: Host; readonly client: SpaceClient };
}): LockClients {
  const { kernel, plan, recorder, node, admin } = parts;
  const shard = (name: string): number => shardOf(name, plan.shards);
  const writes = new GuardedWrites({ ...parts, shardOf: shard });
  const rateOf = ({ name }: SimNode): number =>
    plan.nodes.find((one) => one.name === name.replace(/'.*/, ""))?.clock.rate ?? 1;
  return new LockClients({
    kernel,
    plan,
    calls: new LockCalls(kernel, recorder, shard, rateOf),
    node,
    write: (by, key, value, guard) => writes.write(by, key, value, guard),
    force: async (name) => {
      const opId = scopeOpId("door", uuidv7(admin.host.time.wall, admin.host.random));
      const call = recorder.beginLock({
        kind: "force",
        node: admin.host.name,
        shard: shard(name),
        name,
        owner: "admin",
        opId,
      });
      try {
        const command = { kind: "force", opId, name, by: "admin" } as const;
        const [verdict] = await new SpaceLocks(admin.client).run([command], { timeoutMs: 2_500 });
        if (verdict !== undefined) recorder.endLock(call, verdict.outcome, factsOf(verdict));
      } catch (error) {
        call.error = String(error);
      }
    },
  });
}

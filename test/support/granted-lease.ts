import type { SpaceClient } from "../../src/connection/space-client.ts";
import { SpaceLeases } from "../../src/connection/space-leases.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { randomHex, uuidv7 } from "../../src/runtime/ids.ts";
import type { Random } from "../../src/runtime/random.ts";

/** Grants a lease of an hour in a space of shards; its id. */
export async function grantedLease(
  client: SpaceClient,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<string> {
  const id = randomHex(random, 16);
  const opId = scopeOpId("test", uuidv7(clock, random));
  const grant = { kind: "grant", opId, id, ttlMs: 3_600_000, onEnd: "invalidate" } as const;
  const [verdict] = await new SpaceLeases(client).run([grant]);
  if (verdict?.outcome !== "ok") throw new Error("no lease");
  return id;
}

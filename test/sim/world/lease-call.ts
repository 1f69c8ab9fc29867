import { isWarpError } from "../../../src/errors.ts";
import type { Leases } from "../../../src/lease/lease.ts";
import type { LeaseCommand, LeaseVerdict } from "../../../src/protocol/lease.ts";
import { scopeOpId } from "../../../src/protocol/shard-api.ts";
import { randomHex, uuidv7 } from "../../../src/runtime/ids.ts";
import type { Operation } from "../check/history.ts";
import { sleep } from "./attempts.ts";
import type { Kernel } from "./kernel.ts";
import type { PlannedCall } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { SimNode } from "./sim-node.ts";
import { plainly } from "./told.ts";

const timeoutMs = 2_500;
/** How often a revoke of unknown fate is repeated under its op id. */
const tries = 4;

/** What {@link endLease} works on. */
export interface LeaseCallParts {
  readonly kernel: Kernel;
  readonly recorder: Recorder;
  readonly node: (at: number) => SimNode;
}

/**
 * A lease gets some keys and ends, by a revoke or before that by its time, which deletes them: a door of change like any other. Each key is an operation of its own; one of
 * which nobody can say whether it was attached stays of unknown fate.
 */
export async function endLease(
  { kernel, recorder, node: nodeOf }: LeaseCallParts,
  { by, keys, ttlMs, thinkMs }: Extract<PlannedCall, { do: "leaseEnd" }>,
): Promise<void> {
  const node = nodeOf(by);
  const opId = (): string => scopeOpId("node", uuidv7(node.time.wall, node.random));
  const id = randomHex(node.random, 16);
  const granted = await run(node.leases, [{ kind: "grant", opId: opId(), id, ttlMs, onEnd: "delete" }]);
  if (granted?.[0]?.outcome !== "ok") return;
  const ops = keys.map((key) =>
    recorder.begin({
      kind: "leaseEnd",
      node: node.name,
      keys: [key],
      action: plainly({ do: "write", key, value: null }),
    }),
  );
  const attached = await run(
    node.leases,
    keys.map((key): LeaseCommand => ({ kind: "attach", opId: opId(), id, keys: [key] })),
    (error) => {
      for (const op of ops) recorder.failed(op, error);
    },
  );
  const surely: Operation[] = [];
  for (const [at, verdict] of (attached ?? []).entries()) {
    const op = ops[at];
    if (op === undefined) continue;
    if (verdict.outcome === "ok") surely.push(op);
    else if (verdict.error.outcome === "fail") recorder.refused(op, verdict.error.code);
  }
  await sleep(kernel, node, thinkMs);
  const revoke = { kind: "revoke", opId: opId(), id } as const;
  for (let left = tries; left > 0; left--) {
    const [verdict] = (await run(node.leases, [revoke])) ?? [];
    // Whoever is answered at all finds every key dealt with, also where the lease's time was over before.
    if (verdict?.outcome === "ok" || verdict?.error.code === "lease_not_found") {
      for (const op of surely) recorder.end(op, op.action);
      return;
    }
    await sleep(kernel, node, node.random.below(1_000));
  }
}

/** Undefined: it failed as a whole. */
async function run(
  leases: Leases,
  commands: readonly LeaseCommand[],
  failed: (error: unknown) => void = () => {},
): Promise<readonly LeaseVerdict[] | undefined> {
  try {
    return await leases.run(commands, { timeoutMs });
  } catch (error) {
    if (!isWarpError(error)) throw error;
    failed(error);
    return undefined;
  }
}

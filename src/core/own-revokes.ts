import type { Leases } from "../lease/lease.ts";
import type { LeaseCommand, LeaseVerdict } from "../protocol/lease.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import type { Follower } from "./follower.ts";
import type { Parts } from "./parts.ts";

/** How long a revoke waits at most for what its own node is told of it. */
const patienceMs = 1_000;

/**
 * `leases`, whose revokes are answered when this node's copies know of them, too: what a node has ended it does not read any more (rule CO4). Which keys a lease had it
 * can't know, so it looks into the log of every shard that it has copies of; where that fails, those go.
 */
export function withOwnRevokes(
  leases: Leases,
  follower: Pick<Follower, "shards" | "catchUp" | "forget">,
  parts: Pick<Parts, "clock" | "timers">,
): Leases {
  const run = async (
    commands: readonly LeaseCommand[],
    options?: CallLimits,
  ): Promise<readonly LeaseVerdict[]> => {
    try {
      return await leases.run(commands, options);
    } finally {
      // Also where its fate is unknown: it may have been done.
      if (commands.some(({ kind }) => kind === "revoke")) {
        await Promise.all(follower.shards.map((shard) => align(shard, follower, parts)));
      }
    }
  };
  return {
    supports: leases.supports,
    run,
    info: (id, options) => leases.info(id, options),
    list: (options) => leases.list(options),
    keys: (id, options) => leases.keys(id, options),
    onEnd: (listener) => leases.onEnd(listener),
    close: () => leases.close(),
  };
}

/** Never rejects. */
async function align(
  shard: number,
  follower: Pick<Follower, "catchUp" | "forget">,
  { clock, timers }: Pick<Parts, "clock" | "timers">,
): Promise<void> {
  let stop = (): void => {};
  const late = new Promise<"late">((resolve) => {
    stop = timers.after(patienceMs, () => resolve("late"), { awaited: true });
  });
  try {
    const end = await Promise.race([follower.catchUp(shard, clock.now()), late]);
    if (end === "late") await follower.forget(shard);
  } catch {
    // The follower tells of it; here it means that nothing held of the shard can be relied upon.
    await follower.forget(shard);
  } finally {
    stop();
  }
}

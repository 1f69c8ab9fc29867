import { WarpError } from "../../errors.ts";
import type { LeasePeerApi } from "../../protocol/lease.ts";
import { isRefusal, type Refusal } from "../../protocol/shard-api.ts";
import type { Timers } from "../../runtime/clock.ts";

/** The way to the other shards of a space. */
export type LeasePeers = (space: string, shard: number) => LeasePeerApi;

/** For shards that have no others beside them. */
export const noPeers: LeasePeers = () => {
  throw new WarpError("unavailable", "this shard has no way to others");
};

/**
 * Asks another shard, for `timeoutMs` at most. A refusal is thrown as it is; whatever else goes wrong is `unavailable`: the caller here is to come again, and what was
 * asked may have been done.
 */
export async function askPeer<R extends object>(
  timers: Timers,
  timeoutMs: number,
  ask: () => Promise<R | Refusal>,
): Promise<R> {
  let stop = (): void => {};
  const late = new Promise<never>((_, reject) => {
    stop = timers.after(timeoutMs, () => reject(unreachable(`it gave no answer within ${timeoutMs} ms`)));
  });
  let reply: R | Refusal;
  try {
    reply = await Promise.race([ask(), late]);
  } catch (cause) {
    throw WarpError.from(cause, "unavailable", "another shard of the space can't be reached", {
      retryAfterMs: 100,
    });
  } finally {
    stop();
  }
  if (isRefusal(reply)) throw WarpError.fromData(reply.refused);
  return reply as R;
}

function unreachable(message: string): WarpError {
  return new WarpError("unavailable", message, { retryAfterMs: 100 });
}

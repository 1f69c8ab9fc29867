import { WarpError } from "../../errors.ts";
import { jsonFrames } from "../../protocol/wire/frame-codec.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import {
  connectTimeoutMs,
  keepAliveMs,
  reconnectBaseMs,
  reconnectCapMs,
  unusedSocketMs,
} from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import type { ShardWatchListener, Watching } from "../watching.ts";
import { ShardLink } from "./shard-link.ts";

/** What {@link ownSockets} takes. */
export interface OwnSocketsOptions {
  readonly space: string;
  /** Opens sockets to a shard, on behalf of the work that runs now. */
  readonly sockets: (shard: number) => SocketFactory;
  /** Of the work that runs now: they may end with it. */
  readonly timers: Timers;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Watches that have a socket each, which ends with them: for hosts whose sockets belong to the request that opens them. One that can't begin at the first attempt fails; one
 * whose socket breaks later goes on over the next.
 */
export function ownSockets(options: OwnSocketsOptions): Watching {
  return {
    watch(shard, filter, from, listener) {
      const link = newLink(shard, options);
      let isOver = false;
      const finish = (): void => {
        isOver = true;
        link.close();
      };
      const fail = (error: WarpError): void => {
        if (isOver) return;
        finish();
        listener.failed(error);
      };
      const told: ShardWatchListener = { ...listener, failed: fail };
      const hold = link.watches.open(filter, from, told);
      link.ready().catch((error: unknown) => fail(WarpError.from(error, "unavailable", "no way")));
      return {
        pause: () => hold.pause(),
        resume: () => hold.resume(),
        end: () => {
          if (!isOver) finish();
        },
        show: (data) => hold.show(data),
      };
    },
  };
}

function newLink(shard: number, { space, sockets, timers, clock, random }: OwnSocketsOptions): ShardLink {
  let tenures = 0;
  return new ShardLink(
    shard,
    {
      space,
      node: `watch-${randomHex(random, 12)}`,
      zone: undefined,
      token: () => undefined,
      urlOf: () => "",
      codec: jsonFrames,
      sockets: sockets(shard),
      timers,
      clock,
      elapsed: clock,
      random,
      follow: false,
      backoff: { baseMs: reconnectBaseMs, capMs: reconnectCapMs },
      connectTimeoutMs,
      unusedMs: unusedSocketMs,
      // The end of such a socket is told; a sign of life now and then is for the case that it is not, and for the hub, which needs room for others.
      minBeatMs: keepAliveMs,
    },
    new Set(),
    () => ++tenures,
  );
}

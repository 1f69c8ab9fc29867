import type { WarpError } from "../../errors.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import type { Watching } from "../watching.ts";
import { WatchLink, type WatchLinkOptions } from "./watch-link.ts";

/** What {@link ownSockets} takes. */
export interface OwnSocketsOptions extends Omit<WatchLinkOptions, "sockets" | "failed"> {
  /** Opens sockets to a shard, on behalf of the work that runs now. */
  readonly sockets: (shard: number) => SocketFactory;
}

/**
 * Watches that have a socket each, which ends with them: for hosts whose sockets belong to the request that opens them. One that can't begin at the first attempt fails; one
 * whose socket breaks later goes on over the next.
 */
export function ownSockets(options: OwnSocketsOptions): Watching {
  return {
    watch(shard, filter, from, listener) {
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
      const link: WatchLink = new WatchLink(shard, {
        ...options,
        sockets: options.sockets(shard),
        // Not before whoever watches knows of it.
        failed: (error) => void Promise.resolve(error).then(fail),
      });
      const hold = link.watches.open(filter, from, { ...listener, failed: fail });
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

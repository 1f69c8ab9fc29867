import type { WarpError } from "../errors.ts";
import type { ShardApi } from "../protocol/shard-api.ts";
import type { SessionCalls } from "../shard/hub/calls.ts";

type Call = (...args: readonly unknown[]) => Promise<unknown>;

/**
 * The calls of a shard that is elsewhere. It knows no sessions of its relays: to it their calls are like those that come over HTTP. `open` gives a way to it
 * that no earlier exception has broken; `fault` says what an exception means.
 */
export function forwarded(open: () => ShardApi, fault: (error: unknown) => WarpError): SessionCalls {
  return new Proxy({} as SessionCalls, {
    get:
      (_, name): Call =>
      async (first, second) => {
        try {
          const shard = open() as unknown as Record<string | symbol, Call>;
          // The second one of most calls would be the session.
          return await (name === "createSpace" ? shard[name]?.(first, second) : shard[name]?.(first));
        } catch (error) {
          throw fault(error);
        }
      },
  });
}

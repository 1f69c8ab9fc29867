import { WarpError } from "../errors.ts";
import type { Ended } from "../protocol/shard-api.ts";

/** Several calls that came in one message, as if they had come one by one: none waits for another, and each has an end of its own. */
export function each<Request, Reply>(
  requests: readonly Request[],
  call: (request: Request) => Promise<Reply>,
): Promise<readonly Ended<Reply>[]> {
  return Promise.all(
    requests.map(async (request) => {
      try {
        return await call(request);
      } catch (error) {
        return {
          thrown: WarpError.from(error, "internal", "the shard failed", { outcome: "unknown" }).toData(),
        };
      }
    }),
  );
}

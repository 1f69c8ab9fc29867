import { HttpLocks } from "../client/locks.ts";
import { isWarpError, WarpError } from "../errors.ts";
import type { Context } from "./command.ts";
import { failureLine } from "./failure.ts";

/** How long the end of a command waits for what is left to be told to the server, in ms: a place in a queue that is given up, for one. */
const farewellMs = 2_000;

/** Runs `work` with the locks of the space, and waits a little for what it leaves to be done behind it. */
export async function withLocks<T>(context: Context, work: (locks: HttpLocks) => Promise<T>): Promise<T> {
  const { host, client, space } = context;
  const { clock, elapsed, timers, random } = host;
  const behind = new Set<Promise<unknown>>();
  const locks = new HttpLocks(client, space, {
    clock,
    elapsed,
    timers,
    random,
    background: {
      run(promise) {
        const settled = promise.catch(() => undefined).finally(() => behind.delete(settled));
        behind.add(settled);
      },
    },
    onError: (error) => {
      void host.stderr.write(failureLine(withoutOpId(error), context.json)).catch(() => undefined);
    },
  });
  try {
    return await work(locks);
  } catch (error) {
    throw withoutOpId(error);
  } finally {
    await new Promise<void>((resolve) => {
      const cancel = timers.after(farewellMs, resolve, { awaited: true });
      void Promise.all(behind).then(() => {
        cancel();
        resolve();
      });
    });
    locks.close();
  }
}

/** The commands that hold something take no op id: what an unknown outcome may have left is given back behind them, or ends by its time. */
function withoutOpId(error: unknown): unknown {
  if (!isWarpError(error) || error.details?.opId === undefined) return error;
  const { opId: _, ...details } = error.details;
  return new WarpError(error.code, error.message, { ...error.toData(), details, cause: error });
}

import { WarpError } from "../errors.ts";
import type { Codec } from "../runtime/codec.ts";
import { load, type Restored } from "./keeper.ts";
import { type Over, type Run, runOf } from "./run.ts";
import type { StoreHost, StoreOptions, StoreSession, WarpStore } from "./types.ts";
import { viewsOf } from "./views.ts";

/** A store on a host. Nothing is shown or watched before `init` or `restoreSession`. Throws `invalid_argument` that names the option. */
export function openStore<T>(options: StoreOptions<T>, host: StoreHost): WarpStore<T> {
  const { client, prefix, persistence, codec } = options;
  for (const field of ["ttlMs", "maxEntries"] as const) if (!((options[field] ?? 1) >= 1)) throw wrong(field);
  let run: Run<T> | undefined;
  /** Counts what begins and ends sessions: whoever was overtaken does nothing. */
  let turn = 0;
  let isEnded = false;
  let isClosed = false;
  let isFailing = false;
  let ready = Promise.withResolvers<void>();
  let isReadyOver = false;

  const views = viewsOf<T>(
    (key) => run?.view(key),
    () => run?.keys() ?? [],
    (error, key) => failed(error, key),
  );
  const failed = (error?: WarpError, key?: string): void => {
    // Storage that fails is told once, until it works again.
    const isKnown = isFailing;
    if (error === undefined || error.code === "storage_unavailable") isFailing = error !== undefined;
    if (error === undefined || (isKnown && error.code === "storage_unavailable")) return;
    if (options.onError === undefined) void Promise.reject(error);
    else options.onError(error, key);
  };
  const readyIs = (error?: WarpError): void => {
    isReadyOver = true;
    if (error === undefined) ready.resolve();
    else ready.reject(error);
  };
  const renewReady = (): void => {
    if (isReadyOver) ready = Promise.withResolvers<void>();
    isReadyOver = false;
    // Whoever wants to know of it asks for it.
    ready.promise.catch(() => {});
  };
  renewReady();

  /** Ends the session in memory. */
  const stop = (isKept = false): Promise<void> | undefined => {
    turn++;
    const ended = run;
    run = undefined;
    isEnded = false;
    if (ended === undefined) return undefined;
    const ending = ended.end(isKept);
    views.changed();
    readyIs(new WarpError("aborted", "the session has ended"));
    return ending;
  };
  const purge = async (): Promise<void> => {
    stop();
    try {
      await persistence?.purge();
    } catch (error) {
      throw WarpError.from(error, "storage_unavailable", String(error));
    }
  };
  const over = (why: Over, error?: WarpError): void => {
    if (error !== undefined) {
      readyIs(error);
      failed(error);
    }
    if (why === "watch") {
      isEnded = true;
      views.changed();
    } else if (why === "foreign") void stop();
    else purge().catch(failed);
  };
  const isPast = (endsAtMs: number | undefined): boolean =>
    endsAtMs !== undefined && endsAtMs <= host.elapsed.now();
  /** What is kept and not over. Trouble is told, and counts as nothing: memory goes on. */
  const kept = async (): Promise<Restored<T> | undefined> => {
    if (persistence === undefined) return undefined;
    try {
      return await load<T>(persistence, prefix);
    } catch (error) {
      failed(WarpError.from(error, "storage_unavailable", String(error)));
      // What can't be read is of no use to anybody. Where the storage itself fails that was told.
      await persistence.purge().catch(() => {});
      return undefined;
    }
  };
  const start = async (session: StoreSession, restored: Restored<T> | undefined): Promise<void> => {
    renewReady();
    run = runOf(options, host, session, restored, views, readyIs, over, failed);
    await run.start();
  };
  const checkOpen = (): void => {
    if (isClosed) throw new WarpError("warp_closed", "this store is closed");
  };
  const written = (key: string): Run<T>["drafts"] => {
    checkOpen();
    if (!key.startsWith(prefix)) throw new WarpError("invalid_key", `the key does not begin with ${prefix}`);
    if (run === undefined) throw wrong("session");
    return run.drafts;
  };

  return {
    get status() {
      if (run === undefined) return "idle";
      if (isEnded) return "ended";
      return run.isLive() ? "live" : run.isKnown() ? "stale" : "loading";
    },
    get session() {
      return run?.session.session;
    },
    get ready() {
      return ready.promise;
    },
    get: views.get,
    snapshot: views.whole,
    subscribe: views.subscribe,
    async set(key, value, write = {}) {
      const all = codec === undefined ? write : { ...write, codec: codec as Codec<unknown> };
      return await written(key).write(key, { value, send: () => client.set(key, value, all) });
    },
    async delete(key, write = {}) {
      return await written(key).write(key, { value: undefined, send: () => client.delete(key, write) });
    },
    async init(session = {}) {
      checkOpen();
      if (isPast(session.endsAtMs)) {
        await purge();
        throw wrong("endsAtMs");
      }
      if (run !== undefined && run.session.session === session.session && !isEnded) {
        run.session = session;
        return run.look();
      }
      await stop(true);
      const own = turn;
      const found = session.session === undefined ? undefined : await kept();
      if (own !== turn) return;
      const isSame = found?.state.session === session.session;
      await start(session, isSame && !isPast(session.endsAtMs ?? found?.state.endsAtMs) ? found : undefined);
    },
    async restoreSession() {
      checkOpen();
      const own = turn;
      const found = run === undefined ? await kept() : undefined;
      if (own !== turn || found === undefined) return run?.session.session;
      const { session, endsAtMs } = found.state;
      if (isPast(endsAtMs)) await purge();
      else await start(endsAtMs === undefined ? { session } : { session, endsAtMs }, found);
      return run?.session.session;
    },
    purge,
    async close() {
      if (isClosed) return;
      isClosed = true;
      await stop(true);
      persistence?.close();
    },
  };
}

function wrong(field: string): WarpError {
  return new WarpError("invalid_argument", `${field} is out of range, or init was not called`, {
    details: { field },
  });
}

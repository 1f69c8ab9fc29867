import { type ErrorCode, WarpError } from "../errors.ts";
import { ended, failure } from "./failure.ts";
import { load } from "./keeper.ts";
import { never, type Over, type Run, runOf } from "./run.ts";
import type { StoreHost, StoreOptions, StoreSession, WarpStore } from "./types.ts";
import { viewsOf } from "./views.ts";

/** A store on a host. Nothing is shown or watched before `init` or `restoreSession`. Throws `invalid_argument` that names the option. */
export function openStore<T>(options: StoreOptions<T>, host: StoreHost): WarpStore<T> {
  const { client, prefix, persistence, ttlMs = 1, maxEntries = 1, codec, onError } = options;
  if (!(ttlMs > 0 && maxEntries > 0)) throw refused("invalid_argument", "ttlMs and maxEntries: above 0");
  const coded = codec && { codec };
  let run: Run<T> | undefined;
  /** Counts calls that end sessions: what was to begin before them does not. */
  let turn = 0;
  /** Sessions begin one after the other, so that each has ended when the next begins. */
  let begun: Promise<string | undefined> = Promise.resolve(undefined);
  let isEnded = false;
  let isClosed = false;
  let isFailing = false;
  let ready = unsettled();

  const failed = (error?: WarpError, key?: string): void => {
    const isStorage = error?.code === "storage_unavailable";
    // Storage that fails is told once, until it works again.
    if (error !== undefined && !(isStorage && isFailing)) {
      if (onError === undefined) void Promise.reject(error);
      else onError(error, key);
    }
    if (error === undefined || isStorage) isFailing = isStorage;
  };
  const views = viewsOf<T>(
    (key) => run?.view(key),
    () => run?.keys() ?? [],
    failed,
  );
  /** Ends the session in memory. */
  const stop = async (isKept?: boolean): Promise<void> => {
    const before = run;
    run = undefined;
    isEnded = false;
    if (!before) return;
    const ending = before.end(isKept);
    views.changed();
    ready.reject(ended());
    ready = unsettled();
    await ending;
  };
  const forget = async (): Promise<void> => {
    void stop();
    await persistence?.purge().catch((error) => {
      throw failure(error, "storage_unavailable");
    });
  };
  const over = (why: Over, error?: WarpError): void => {
    if (error !== undefined) {
      ready.reject(error);
      failed(error);
    }
    isEnded = true;
    if (why === "watch") views.changed();
    else if (why === "foreign") void stop();
    else forget().catch(failed);
  };
  /** What is kept. Trouble is told, and counts as nothing: memory goes on. */
  const kept = async () => {
    try {
      return persistence && (await load<T>(persistence, prefix));
    } catch (error) {
      failed(failure(error, "storage_unavailable"));
      // What can't be read is of no use to anybody. Where the storage itself fails that was told.
      return persistence?.purge().catch(() => {}) as undefined;
    }
  };
  const next = async (own: number, wanted?: StoreSession): Promise<string | undefined> => {
    if (own !== turn) return undefined;
    if (run && !isEnded && (wanted ?? run.session).session === run.session.session) {
      // An end that is known is not forgotten for a call that names none.
      run.session = { ...run.session, endsAtMs: wanted?.endsAtMs ?? run.session.endsAtMs };
      run.look();
    } else {
      await stop(true);
      const found = wanted && wanted.session === undefined ? undefined : await kept();
      const state = found?.state;
      const isSame = state && (wanted ?? state).session === state.session;
      // What is kept of a session that was known to be over is nobody's, even if another has its id.
      const endsAtMs = wanted?.endsAtMs ?? (isSame ? state.endsAtMs : undefined);
      const isOver = wanted && (endsAtMs ?? never) <= host.clock.now();
      const session = wanted ?? state;
      if (session && own === turn) {
        run = runOf(
          options,
          host,
          isOver ? wanted : { ...session, endsAtMs },
          isSame && !isOver ? found : undefined,
          views,
          () => ready.resolve(),
          over,
          failed,
        );
        await run.start();
      }
    }
    return run?.session.session;
  };
  const begin = async (wanted?: StoreSession): Promise<string | undefined> => {
    if (isClosed) throw refused("warp_closed", "closed");
    const own = turn;
    const go = () => next(own, wanted);
    begun = begun.then(go, go);
    return begun;
  };
  const draftsFor = (key: string): Run<T>["drafts"] => {
    if (!key.startsWith(prefix)) throw refused("invalid_key", `a key begins with ${prefix}`);
    if (!run) throw refused(isClosed ? "warp_closed" : "invalid_argument", "no session has begun");
    return run.drafts;
  };

  return {
    get status() {
      return isEnded ? "ended" : (run?.status() ?? "idle");
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
    set: async (key, value, write) =>
      await draftsFor(key).write(key, { value, send: () => client.set(key, value, { ...coded, ...write }) }),
    delete: async (key, write = {}) =>
      await draftsFor(key).write(key, { value: undefined, send: () => client.delete(key, write) }),
    init: async (session = {}) => void (await begin(session)),
    restoreSession: () => begin(),
    async purge() {
      turn++;
      await forget();
    },
    async close() {
      turn++;
      isClosed = true;
      await stop(true);
      persistence?.close();
    },
  };
}

function unsettled() {
  const ready = Promise.withResolvers<void>();
  // Whoever wants to know of it asks for it.
  ready.promise.catch(() => {});
  return ready;
}

function refused(code: ErrorCode, message: string): WarpError {
  return new WarpError(code, message);
}

import { isWarpError, type WarpError } from "../errors.ts";
import { type Drafts, draftsOf } from "./drafts.ts";
import { type Entries, entriesOf } from "./entries.ts";
import { feedOf } from "./feed.ts";
import { type Keeper, keeperOf, type Restored } from "./keeper.ts";
import type { StoreEntry, StoreHost, StoreOptions, StoreSession } from "./types.ts";
import type { Views } from "./views.ts";

/** How long changes are gathered before they are kept, ms. */
const gatherMs = 200;
/** How often it is noted how far the watch has come where nothing changes, ms. */
const progressMs = 60_000;
/** Longer than a host's timers take; what is due later is looked at again then. */
const maxDelayMs = 2_147_483_647;
/** How far a clock may have been set back before nobody can say how old what is kept is, ms. */
const grainMs = 1_000;
/** No time. */
export const never = Number.POSITIVE_INFINITY;

/** One session of a store, from its beginning to its end: what is known in it, how it is told, and what of it is kept. */
export interface Run<T> {
  readonly drafts: Drafts<T>;
  /** Another end of it may be told. */
  session: StoreSession;
  status(): "loading" | "live" | "stale";
  keys(): Iterable<string>;
  view(key: string): StoreEntry<T> | undefined;
  /** Shows what was kept, or forgets what was kept of others, and watches. */
  start(): Promise<void>;
  /** Looks at what is due. */
  look(): void;
  /** `isKept`: after what has changed was kept. */
  end(isKept?: boolean): Promise<void>;
}

/** Why a run is over: its session is, another session has begun in another tab, or its watch can't go on. */
export type Over = "session" | "foreign" | "watch";

/** `failed`: nobody waits for it; without an error what could not be kept is kept again. */
export function runOf<T>(
  options: StoreOptions<T>,
  host: StoreHost,
  session: StoreSession,
  restored: Restored<T> | undefined,
  views: Views<T>,
  live: () => void,
  over: (why: Over, error?: WarpError) => void,
  failed: (error?: WarpError, key?: string) => void,
): Run<T> {
  const { client, prefix, persistence, ttlMs = never, maxEntries = 10_000 } = options;
  const { clock, timers } = host;
  const { session: id } = session;
  const touched = new Set<string>();
  const offs: ((() => void) | undefined)[] = [];
  let confirmedAtMs = restored?.state.confirmedAtMs ?? clock.now();
  let isStarted = false;
  let isLive = false;
  let isOver = false;
  let isNoted = false;
  let cancelNote = (): void => {};
  let cancelDue = (): void => {};

  const entries: Entries<T> = entriesOf<T>(
    (key) => {
      touched.add(key);
      if (!isStarted) return;
      keeper?.changed(key);
      if (!isNoted) noteAfter(gatherMs);
    },
    () => keeper?.lost(),
  );
  const drafts = draftsOf<T>(
    client,
    (key) => show(key),
    (key, { value }, { revision, cursor }) =>
      // Where it changed nothing, it is the watch that tells what did.
      revision > 0 && entries.answered(key, `${cursor.split(".")[0]}.${revision}`, value),
    // Where it can't be read, it is the watch that tells, a moment later.
    (key) => feed.read(key).catch(() => {}),
    failed,
  );
  const finish = (why: Over, error?: WarpError): void => {
    if (!isOver) over(why, error);
  };
  const feed = feedOf<T>(
    client,
    prefix,
    options.codec && { codec: options.codec },
    entries,
    () => show(),
    // Who may not watch may not keep; of a space that is gone nothing is true.
    (error) => finish(isWarpError(error, "forbidden", "space_not_found") ? "session" : "watch", error),
    failed,
  );
  const keeper: Keeper | undefined =
    !persistence || id === undefined
      ? undefined
      : keeperOf<T>(
          persistence,
          entries,
          restored?.state.cursor,
          () => ({
            format: 1,
            session: id,
            prefix,
            endsAtMs: run.session.endsAtMs,
            confirmedAtMs: isLive ? clock.now() : confirmedAtMs,
          }),
          (error) => isOver || failed(error),
          () => finish("foreign"),
        );

  /** Tells what has changed. */
  const show = (key?: string): void => {
    if (isOver) return;
    for (const { key: one, ack } of entries.known.values()) {
      if (entries.known.size <= maxEntries) break;
      if (!ack && !drafts.last(one) && !views.isWatched(one)) entries.drop(one);
    }
    const changed = key === undefined ? [...touched] : [...touched, key];
    touched.clear();
    if (feed.isLive() === isLive) {
      views.changed(changed);
      return;
    }
    isLive = !isLive;
    confirmedAtMs = clock.now();
    views.changed();
    if (isLive) live();
    run.look();
  };
  const noteAfter = (delayMs: number): void => {
    cancelNote();
    isNoted = delayMs === gatherMs;
    cancelNote = timers.after(delayMs, note);
  };
  /** In a turn of its own: no item is on its way from the watch to the entries. */
  const note = (): void => {
    // Timers stand still while a device sleeps.
    run.look();
    feed.settle();
    show();
    if (isOver) return;
    void keeper?.save();
    noteAfter(progressMs);
  };
  /** What was known was not confirmed for too long, or nobody can say for how long. */
  const isTooOld = (): boolean => {
    const ageMs = clock.now() - confirmedAtMs;
    return !isLive && ttlMs < never && !(ageMs < ttlMs && ageMs >= -grainMs);
  };
  const check = async (): Promise<void> => {
    // Where nobody can say, it is asked again when the client's status is another.
    if (id && (await options.checkSession?.(id).catch(() => true)) === false) finish("session");
  };

  const run: Run<T> = {
    drafts,
    session,
    status: () => (isLive ? "live" : entries.cursor || entries.known.size ? "stale" : "loading"),
    keys: () => [...entries.known.keys(), ...drafts.keys()],
    view(key) {
      const known = isTooOld() ? undefined : entries.known.get(key);
      const draft = drafts.last(key);
      const { value } = draft ?? known ?? {};
      if (value === undefined) return undefined;
      const stale = !isLive || known?.unread === true;
      return { value, version: known?.version ?? 0, stale, pending: draft !== undefined };
    },
    async start() {
      run.look();
      if (restored) entries.restore(restored.entries, restored.state.cursor);
      else await keeper?.save(true);
      isStarted = true;
      show();
      if (isOver) return;
      feed.start();
      noteAfter(progressMs);
      // Before the page may end; and when it is looked at again, since another tab may have ended the session.
      offs.push(client.onStatus(check), host.signals?.listen(note));
      void check();
    },
    look() {
      cancelDue();
      const endsInMs = (run.session.endsAtMs ?? never) - clock.now();
      if (endsInMs <= 0) return finish("session");
      if (isTooOld()) views.changed();
      const hiddenInMs = isLive || isTooOld() ? never : confirmedAtMs + ttlMs - clock.now();
      const dueInMs = Math.min(endsInMs, hiddenInMs);
      if (dueInMs < never && !isOver) cancelDue = timers.after(Math.min(dueInMs, maxDelayMs), run.look);
    },
    async end(isKept) {
      isOver = true;
      cancelNote();
      cancelDue();
      for (const off of offs) off?.();
      feed.end();
      drafts.end();
      if (isKept) await keeper?.save();
    },
  };
  return run;
}

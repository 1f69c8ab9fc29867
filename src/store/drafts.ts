import { isWarpError, type WarpError } from "../errors.ts";
import { ended } from "./failure.ts";
import type { StoreClient, StoreDone, StoreSettled, StoreWritten } from "./store-client.ts";

/** A write that is not confirmed yet. */
export interface Draft<T> {
  /** Undefined: a delete. */
  readonly value: T | undefined;
  readonly send: () => Promise<StoreWritten>;
  /** Its turn, and the client's answer. */
  sent?: Promise<StoreWritten>;
  /** Its op id in the client's queue. */
  queued?: string;
}

/** Writes of one's own that are shown before they are confirmed. Those of a key are sent one after the other: what was written last is what stays. */
export interface Drafts<T> {
  keys(): Iterable<string>;
  /** The newest of a key. */
  last(key: string): Draft<T> | undefined;
  /** Shows it, and sends it in its turn. Throws what it is refused with, after it was taken back. */
  write(key: string, draft: Draft<T>): Promise<StoreWritten>;
  /** Forgets all: what was not sent is refused. */
  end(): void;
}

/**
 * `changed`: what is to be shown of a key has. `done`: the authority has carried it out. `refused`: because the key is not what it was taken for; settles when the true value is known,
 * or can't be. `lost`: a queued one has failed, and nobody waits for it.
 */
export function draftsOf<T>(
  client: StoreClient,
  changed: (key: string) => void,
  done: (key: string, draft: Draft<T>, done: StoreDone) => unknown,
  refused: (key: string) => Promise<void>,
  lost: (error: WarpError, key: string) => void,
): Drafts<T> {
  const drafts = new Map<string, Draft<T>[]>();
  /** Ends of queued writes that were told before the client had answered that they are queued. */
  const early = new Map<string, StoreSettled>();

  const isHere = (key: string, draft: Draft<T>): boolean => !!drafts.get(key)?.includes(draft);
  /** Takes it out, with what was done in its place, in one step. */
  const settle = (key: string, draft: Draft<T>, what?: StoreDone): void => {
    if (!isHere(key, draft)) return;
    const left = drafts.get(key)?.filter((one) => one !== draft) ?? [];
    if (left.length) drafts.set(key, left);
    else drafts.delete(key);
    if (!drafts.size) early.clear();
    if (what) done(key, draft, what);
    changed(key);
  };
  const refuse = async (key: string, draft: Draft<T>, error: unknown): Promise<void> => {
    if (isWarpError(error, "precondition_failed")) await refused(key);
    settle(key, draft);
  };
  const end = async (key: string, draft: Draft<T>, settled: StoreSettled): Promise<void> => {
    if (settled.outcome === "ok") return settle(key, draft, settled.done);
    await refuse(key, draft, settled.error);
    lost(settled.error, key);
  };
  const off = client.queue.settled((settled) => {
    for (const [key, list] of drafts) {
      const draft = list.find(({ queued }) => queued === settled.queued);
      if (draft) return void end(key, draft, settled);
    }
    early.set(settled.queued, settled);
  });
  const send = async (key: string, draft: Draft<T>): Promise<StoreWritten> => {
    if (!isHere(key, draft)) throw ended();
    try {
      const written = await draft.send();
      if (!("queued" in written)) settle(key, draft, written);
      else {
        draft.queued = written.queued;
        const settled = early.get(written.queued);
        if (settled) void end(key, draft, settled);
      }
      return written;
    } catch (error) {
      await refuse(key, draft, error);
      throw error;
    }
  };
  return {
    keys: () => drafts.keys(),
    last: (key) => drafts.get(key)?.at(-1),
    write(key, draft) {
      const before = drafts.get(key) ?? [];
      const go = () => send(key, draft);
      drafts.set(key, [...before, draft]);
      // What became of the one before is for its own caller.
      draft.sent = before.at(-1)?.sent?.then(go, go) ?? go();
      changed(key);
      return draft.sent;
    },
    end() {
      off();
      drafts.clear();
    },
  };
}

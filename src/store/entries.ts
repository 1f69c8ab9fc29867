import { WarpError } from "../errors.ts";
import type { WatchedItem } from "../watchbus/watched-item.ts";
import type { Known } from "./persistence.ts";
import { isBehind, sameEpochs, shardIn } from "./places.ts";

type Told<T> = Extract<WatchedItem<T>, { readonly kind: "snapshot" }>["entries"][number];

/**
 * The authority's state as far as it was told: by the watch, and by the answers to writes and reads, which may be ahead of it. An entry never goes back to an older
 * revision, whichever of them comes last.
 */
export interface Entries<T> {
  /** Those that changed longest ago stand first. What is gone stays for a moment: what is told late is known to be late. */
  readonly known: Map<string, Known<T>>;
  /** All that the watch has told up to here is in it. Undefined: it is not the state of any moment. */
  readonly cursor: string | undefined;
  /** Takes what was kept. */
  restore(kept: readonly Known<T>[], cursor: string | undefined): void;
  /** Takes what the watch tells. Throws `invalid_cursor` where it is of another life of the storage than what is known: {@link clear}, and let everything be told anew. */
  take(item: WatchedItem<T>): void;
  /** What an answer said of a key, at a position: its value; undefined: it is gone. */
  answered(key: string, position: string, value: T | undefined): void;
  /** The watch has told everything up to here, and what it told was taken. */
  settle(cursor: string): void;
  /** Nothing is known. */
  clear(): void;
  /** Forgets a key. */
  drop(key: string): void;
}

/** `changed` is told of every key of which something else is known; `lost` where the state follows: what changed is not all that has. */
export function entriesOf<T>(changed: (key: string) => void, lost: () => unknown): Entries<T> {
  const known = new Map<string, Known<T>>();
  /** Shards whose state is being told, with the keys that are in it so far. */
  const states = new Map<number, Set<string>>();
  let cursor: string | undefined;
  /** The last cursor: what says how many shards there are. */
  let last: string | undefined;
  /** Up to here each event was taken. (A cursor alone does not say so: of several changes of a key the watch tells the newest, in its place.) */
  let settled: string | undefined;

  const put = (entry: Known<T>): void => {
    known.delete(entry.key);
    known.set(entry.key, entry);
    changed(entry.key);
  };
  const drop = (key: string): void => {
    if (known.delete(key)) changed(key);
  };
  const tell = ({ key, version, value, omitted, error }: Told<T>, shard: number): void => {
    states.get(shard)?.add(key);
    const before = known.get(key);
    const isSame = before?.at === version && !before.ack;
    if ((before?.at ?? 0) > version || (isSame && (!before.unread || omitted))) return;
    if (!omitted && !error && value !== undefined) {
      put({ key, at: version, version, value });
      return;
    }
    const shown = before?.value === undefined ? {} : { value: before.value };
    put({ key, at: version, ...shown, version: before?.version ?? 0, unread: true });
  };
  /** The state is whole: what is not in it is gone. */
  const sweep = (whole: string): void => {
    for (const { key, ack } of known.values()) {
      const state = states.get(shardIn(whole, key));
      // Of what an answer said it has told what came after it; or the answer was of another life.
      if (state && (ack ? isBehind(whole, key, ack) !== false : !state.has(key))) drop(key);
    }
    states.clear();
    settled = whole;
  };

  return {
    known,
    get cursor() {
      return cursor;
    },
    restore(kept, at) {
      for (const entry of kept) {
        // Another tab was told what came after it.
        if (entry.ack && isBehind(at, entry.key, entry.ack)) continue;
        put(entry);
      }
      cursor = last = settled = at;
    },
    take(item) {
      const { kind } = item;
      if (kind === "set") tell(item, item.shard);
      else if (kind === "delete" || kind === "expire") {
        const { key, revision } = item;
        states.get(item.shard)?.add(key);
        if ((known.get(key)?.at ?? 0) <= revision) put({ key, at: revision, version: 0 });
      } else if (kind === "gap") {
        const { shard, why } = item;
        const state = states.get(shard);
        states.set(shard, new Set());
        lost();
        if (why === "epoch") {
          // Before the first cursor only states have told of keys.
          for (const key of known.keys())
            if (last ? shardIn(last, key) === shard : state?.has(key)) drop(key);
          settled = undefined;
        }
      } else if (kind === "snapshot") {
        if (item.first) states.set(item.shard, new Set());
        for (const entry of item.entries) tell(entry, item.shard);
        if (item.done && item.cursor) {
          if (settled && !sameEpochs(settled, item.cursor))
            throw new WarpError("invalid_cursor", "another epoch");
          sweep(item.cursor);
        }
      }
      cursor = item.cursor;
      last = cursor ?? last;
    },
    answered(key, position, value) {
      const at = Number(position.split(".")[1]);
      const before = known.get(key);
      const told = { key, at, version: value === undefined ? 0 : at, ...(value !== undefined && { value }) };
      if (before?.unread && before.at === at) put(told);
      // What is shown until the newest is read is the newer of what is known.
      else if (before?.unread && before.at > at && before.version < at)
        put({ ...told, at: before.at, unread: true });
      // Else the watch has told of it, or of what came after it; or it is of another life of the storage, and its revision means nothing.
      else if ((before?.at ?? 0) < at && (!settled || isBehind(settled, key, position) === false))
        put({ ...told, ack: position });
    },
    settle(at) {
      cursor = last = settled = at;
      for (const { key, ack, value, unread } of known.values()) {
        if (!ack && value === undefined && !unread) known.delete(key);
      }
    },
    clear() {
      for (const key of known.keys()) drop(key);
      states.clear();
      lost();
      cursor = last = settled = undefined;
    },
    drop,
  };
}

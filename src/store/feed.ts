import { isWarpError, type WarpError } from "../errors.ts";
import type { Codec } from "../runtime/codec.ts";
import type { Entries } from "./entries.ts";
import { failure } from "./failure.ts";
import type { StoreClient, StoreWatch } from "./store-client.ts";

/** Keeps entries coherent: by the watch of their prefix, and by reads of values that it leaves out. */
export interface Feed {
  /** Whether everything that happens is told as it happens. */
  isLive(): boolean;
  /** Takes note of how far the watch has come, and reads what was not told. Not while an item is on its way from the watch to the entries: in a turn of its own. */
  settle(): void;
  /** Reads what is at the authority; settles when it is known, or can't be. */
  read(key: string): Promise<void>;
  /** Begins where the entries are. */
  start(): void;
  end(): void;
}

/** `moved`: something was taken, or the status is another. `ended`: the watch has, not by `end`; without an error with its client. `failed`: a key can't be read. */
export function feedOf<T>(
  client: StoreClient,
  prefix: string,
  codec: { readonly codec: Codec<T> } | undefined,
  entries: Entries<T>,
  moved: () => void,
  ended: (error?: WarpError) => void,
  failed: (error: WarpError, key: string) => void,
): Feed {
  const unwanted = new AbortController();
  const { signal } = unwanted;
  let watch: StoreWatch<T> | undefined;
  let isReading = false;

  const read = async (key: string): Promise<void> => {
    const found = await client.get<T>(key, { ...codec, signal });
    if (found === undefined || signal.aborted) return;
    entries.answered(key, `${found.cursor.split(".")[0]}.${found.version}`, found.value);
    moved();
  };
  /** Reads what was not told, while somebody can be asked. */
  const readAll = async (): Promise<void> => {
    if (isReading) return;
    isReading = true;
    for (const { key, unread } of entries.known.values()) {
      if (watch?.status !== "live") break;
      if (!unread) continue;
      await read(key).catch((error) => {
        // What passes is tried again later, and the key is shown as stale.
        if (signal.aborted || (isWarpError(error) && error.retryable)) return;
        entries.drop(key);
        failed(failure(error), key);
      });
    }
    isReading = false;
  };
  const take = async (): Promise<void> => {
    const { cursor } = entries;
    const own = client.watch<T>(
      { prefix },
      {
        ...codec,
        from: cursor ? { cursor } : "snapshot",
        mode: "latest",
        ops: ["set", "delete", "expire"],
        signal,
      },
    );
    watch = own;
    const off = own.onStatus(() => {
      moved();
      void readAll();
    });
    try {
      for await (const item of own) {
        if (signal.aborted) break;
        entries.take(item);
        moved();
      }
    } finally {
      off();
    }
  };
  const follow = (): Promise<void> =>
    take().catch((error) => {
      // The cursor may be of what is no longer there: another deployment, another number of shards.
      if (!isWarpError(error, "invalid_cursor")) throw error;
      entries.clear();
      moved();
      return take();
    });
  return {
    isLive: () => watch?.status === "live" && !!entries.cursor,
    settle() {
      void readAll();
      if (watch?.cursor && entries.cursor) entries.settle(watch.cursor);
    },
    read,
    start: () =>
      void follow().then(
        () => ended(),
        (error) => ended(failure(error)),
      ),
    end: () => unwanted.abort(),
  };
}

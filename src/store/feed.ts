import { isWarpError, WarpError } from "../errors.ts";
import type { Codec } from "../runtime/codec.ts";
import type { Entries } from "./entries.ts";
import type { StoreClient, StoreWatch } from "./store-client.ts";

/** Keeps entries coherent: by the watch of their prefix, and by reads of values that it leaves out. */
export interface Feed {
  /** Whether everything that happens is told as it happens. */
  isLive(): boolean;
  /** Takes note of how far the watch has come, and reads again what could not be read. Not while an item is on its way from the watch to the entries: in a turn of its own. */
  settle(): void;
  /** Reads what is at the authority; settles when it is known, or can't be. */
  read(key: string): Promise<void>;
  /** There is a newer value of a key, which was not told: it is read when somebody can be asked. */
  unread(key: string): void;
  /** Begins where the entries are. */
  start(): void;
  end(): void;
}

/** `moved`: something was taken, or the status is another. `ended`: the watch has, not by `end`; without an error with its client. `failed`: a key can't be read. */
export function feedOf<T>(
  client: StoreClient,
  prefix: string,
  codec: { readonly codec?: Codec<T> },
  entries: Entries<T>,
  moved: () => void,
  ended: (error?: WarpError) => void,
  failed: (error: WarpError, key: string) => void,
): Feed {
  const unwanted = new AbortController();
  const { signal } = unwanted;
  const unread = new Set<string>();
  let watch: StoreWatch<T> | undefined;
  let isReading = false;

  const read = async (key: string): Promise<void> => {
    const found = await client.get<T>(key, { ...codec, signal });
    if (found === undefined || signal.aborted) return;
    entries.answered(key, `${found.cursor.split(".")[0]}.${found.version}`, found.value);
    moved();
  };
  const readAll = async (): Promise<void> => {
    if (isReading) return;
    isReading = true;
    for (const key of unread) {
      if (watch?.status !== "live") break;
      unread.delete(key);
      try {
        await read(key);
      } catch (error) {
        // It stays marked as stale. What passes is tried again later.
        if (signal.aborted || (isWarpError(error) && error.retryable)) {
          unread.add(key);
          break;
        }
        failed(WarpError.from(error, "internal", String(error)), key);
      }
    }
    isReading = false;
  };
  /** Takes what is told until the watch ends. False: it has to be told anew. */
  const takeAll = async (): Promise<boolean> => {
    const { cursor } = entries;
    const now = client.watch<T>(
      { prefix },
      {
        ...codec,
        from: cursor === undefined ? "snapshot" : { cursor },
        mode: "latest",
        ops: ["set", "delete", "expire"],
        signal,
      },
    );
    watch = now;
    const off = now.onStatus(() => {
      moved();
      void readAll();
    });
    try {
      for await (const item of now) {
        if (signal.aborted) break;
        if (!entries.take(item)) return false;
        moved();
      }
      return true;
    } finally {
      off();
    }
  };
  const follow = async (): Promise<void> => {
    for (let isAgain = false; ; isAgain = true) {
      const isWhole = await takeAll().catch((error) => {
        // The cursor may be of what is no longer there: another deployment, another number of shards.
        if (isAgain || !isWarpError(error, "invalid_cursor")) throw error;
        return false;
      });
      if (isWhole || signal.aborted) return;
      entries.clear();
      moved();
    }
  };
  const finish = (error?: WarpError): void => {
    watch = undefined;
    if (signal.aborted) return;
    moved();
    ended(error);
  };
  return {
    isLive: () => watch?.status === "live" && entries.cursor !== undefined,
    settle() {
      void readAll();
      if (watch?.cursor !== undefined && entries.cursor !== undefined) entries.settle(watch.cursor);
    },
    read,
    unread(key) {
      unread.add(key);
      void readAll();
    },
    start: () =>
      void follow().then(
        () => finish(),
        (error) => finish(WarpError.from(error, "internal", String(error))),
      ),
    end: () => unwanted.abort(),
  };
}

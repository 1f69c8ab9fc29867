import type { Payload } from "../../protocol/payload.ts";
import type { Position } from "../../protocol/position.ts";
import type { Verdict } from "../../protocol/shard-api.ts";
import type { WatchTarget } from "../../protocol/watch.ts";

/** An entry of the log; `payload` is absent where there is none or none is kept. */
export interface WatchedEntry {
  readonly revision: number;
  readonly kind: string;
  readonly key: string;
  readonly payload?: Payload | undefined;
}

/** A publication that is told and not kept, after the entry `after`. */
export interface PassingPublication {
  readonly target: WatchTarget;
  readonly payload: Payload;
  readonly after: number;
}

/** A storage in this process as those see it who watch it: `MemoryStorage.watching` is one. */
export interface WatchedLog {
  /** The head, after what is due has ended. */
  readonly position: Position;
  /** The oldest revision that {@link entries} can go back to. */
  readonly floor: number;
  /** When the next key ends by itself, in Unix ms, or earlier; `Infinity`: none does. */
  readonly nextEndMs: number;
  /** At most `limit` entries after a revision that is not below the floor, and the rest of the last one's revision. */
  entries(after: number, limit: number): readonly WatchedEntry[];
  /** A page of keys after `after`, in order of their UTF-8 bytes. */
  list(
    target: WatchTarget,
    after: string | undefined,
    limit: number,
  ): {
    readonly items: readonly { readonly key: string; readonly version: number; readonly payload?: Payload }[];
    readonly more: boolean;
  };
  /** Hears of every commit in its turn, and of publications that pass. Listeners must not throw. The answer ends it. */
  listen(changed: () => void, published: (publication: PassingPublication) => void): () => void;
  publish(publication: {
    readonly opId: string;
    readonly target: WatchTarget;
    readonly payload: Payload;
    readonly retained: boolean;
  }): Verdict;
}

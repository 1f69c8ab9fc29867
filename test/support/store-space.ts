import { WarpError } from "../../src/errors.ts";
import { shardOf } from "../../src/protocol/key.ts";

/** One entry of a log. */
export interface LoggedChange {
  readonly revision: number;
  readonly kind: "set" | "delete" | "expire";
  readonly key: string;
  readonly value?: unknown;
}

/** One shard: its keys and its log. */
export interface ModelShard {
  epoch: string;
  revision: number;
  /** What is at or before it is no longer in the log. */
  floor: number;
  readonly log: LoggedChange[];
  readonly keys: Map<string, { readonly value: unknown; readonly version: number }>;
}

/** How a write of the model is answered. */
export interface ModelDone {
  readonly version: number;
  readonly revision: number;
  readonly cursor: string;
}

/** Values from this length on are not told to watches: they are read. */
export const toldLength = 50;

/** The authority of a space, as a store sees it: keys with versions, a log for each shard. */
export class StoreSpace {
  readonly shards: ModelShard[];
  #epochs = 0;
  /** Runs after each change. */
  changed: () => void = () => {};

  constructor(shards = 1) {
    this.shards = Array.from({ length: shards }, () => this.#newShard());
  }

  shardOf(key: string): ModelShard {
    return this.shards[this.indexOf(key)] as ModelShard;
  }

  indexOf(key: string): number {
    return shardOf(key, this.shards.length);
  }

  write(
    key: string,
    value: unknown,
    condition: { readonly ifVersion?: number; readonly ifAbsent?: boolean } = {},
    kind: "delete" | "expire" = "delete",
  ): ModelDone {
    const shard = this.shardOf(key);
    const present = shard.keys.get(key);
    const version = present?.version ?? 0;
    const { ifVersion = version, ifAbsent = false } = condition;
    if (ifVersion !== version || (ifAbsent && version > 0)) {
      throw new WarpError("precondition_failed", "the key is at another version");
    }
    const isChange = value !== undefined || present !== undefined;
    if (isChange) {
      const revision = ++shard.revision;
      if (value === undefined) shard.keys.delete(key);
      else shard.keys.set(key, { value, version: revision });
      shard.log.push(value === undefined ? { revision, kind, key } : { revision, kind: "set", key, value });
    }
    const done = {
      version: value === undefined ? 0 : shard.revision,
      revision: isChange ? shard.revision : 0,
      cursor: `${shard.epoch}.${shard.revision}`,
    };
    this.changed();
    return done;
  }

  /** The log forgets all but what comes. */
  compact(): void {
    for (const shard of this.shards) shard.floor = shard.revision;
  }

  /** A shard loses its storage; what it had is what `keep` says. */
  lose(at: number, keep: readonly (readonly [string, unknown])[] = []): void {
    const fresh = this.#newShard();
    for (const [key, value] of keep) {
      fresh.keys.set(key, { value, version: ++fresh.revision });
      fresh.log.push({ revision: fresh.revision, kind: "set", key, value });
    }
    this.shards[at] = fresh;
    this.changed();
  }

  /** The state of a prefix. */
  state(prefix = ""): Record<string, unknown> {
    const state: Record<string, unknown> = {};
    const all = this.shards.flatMap(({ keys }) => [...keys]);
    for (const [key, { value }] of all.sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (key.startsWith(prefix)) state[key] = value;
    }
    return state;
  }

  #newShard(): ModelShard {
    const epoch = (++this.#epochs).toString(16).padStart(16, "0");
    return { epoch, revision: 0, floor: 0, log: [], keys: new Map() };
  }
}

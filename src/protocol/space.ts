/** What a space is. Fixed when it is first used; only deleting the space ends it. */
export interface SpaceSettings {
  readonly name: string;
  /** Random identity of this life of the space: a space deleted and made again has another. */
  readonly id: string;
  /** 1 to 256. */
  readonly shards: number;
  /** Whether keys without a registration are refused (rule CO1). */
  readonly strict: boolean;
  readonly createdAtMs: number;
  /** External storage behind the shards. Absent: the shards' own SQLite is all there is. */
  readonly storage?: StorageSettings;
  /** The name of the deployment's fallback that carries unconditional eventual writes while a shard can't be reached (rule SB8). Absent: the space has not opted in. */
  readonly fallback?: string;
}

/** What stands behind the shards of a space. */
export interface StorageSettings {
  /** The name under which the deployment knows it. */
  readonly name: string;
  /** `behind` answers after the shard's commit, `through` waits for the storage, too. Default `behind`. */
  readonly write: "behind" | "through";
  /** How long `through` waits before it answers with `storage: "pending"`: 10 to 30,000 ms, default 2,000. */
  readonly throughTimeoutMs?: number;
  /** Bytes of values that a shard keeps; beyond, those that the storage has confirmed are dropped, their versions stay. 0 to 10 GB; default: all are kept. */
  readonly keepBytes?: number;
}

/** The name of a shard's object: spaces have no slash in their names. */
export function shardName(space: string, shard: number): string {
  return `${space}/${shard}`;
}

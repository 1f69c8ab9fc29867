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
}

/** The name of a shard's object: spaces have no slash in their names. */
export function shardName(space: string, shard: number): string {
  return `${space}/${shard}`;
}

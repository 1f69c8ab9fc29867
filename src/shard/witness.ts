/** Told of changes of keys in the stretch that makes them, by a shard that has a storage behind it. */
export interface ChangeWitness {
  /** What is being read from the storage for this key may be older than the change. */
  changed(key: string): void;
  /** What the storage has is to be looked at again: others may have written it. */
  invalidated(
    kind: "invalidate" | "invalidatePrefix" | "invalidateTag",
    subject: string,
    revision: number,
  ): void;
  /** Whether nobody knows what the storage has for a key that has no row. */
  isUnseen(key: string): boolean;
  /**
   * Whether the storage may have something for a key that has no row: whatever it said or was told a while ago, others may have written since. A deletion is told
   * to it all the same.
   */
  mayBeStored(key: string): boolean;
}

/** The place of a {@link ChangeWitness}: empty until what works with the storage is loaded. */
export interface WitnessSlot {
  present?: ChangeWitness | undefined;
}

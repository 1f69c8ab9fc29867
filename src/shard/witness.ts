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
  /** Whether the storage may have a value for a key that has no row. */
  isUnseen(key: string): boolean;
}

/** The place of a {@link ChangeWitness}: empty until what works with the storage is loaded. */
export interface WitnessSlot {
  present?: ChangeWitness | undefined;
}

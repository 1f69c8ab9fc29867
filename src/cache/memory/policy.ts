/**
 * The order in which a memory cache gives up its slots. Slots are small integers that the cache hands out; a policy keeps what it
 * knows of them in flat arrays. It never sees keys, values or time.
 */
export interface EvictionPolicy {
  /** The order that victims are taken by now; of a policy that chooses between several, the chosen one. */
  readonly leading: string;
  /** Makes room for slots up to `capacity`. */
  grow(capacity: number): void;
  /** A slot was read. Allocates nothing. */
  touch(slot: number): void;
  /** A read found no slot. Only for a policy that learns from it: the key must be hashed for this. */
  miss?(hash: number): void;
  /** A new slot, charged with `bytes`; `hash` is its key's. */
  add(slot: number, hash: number, bytes: number): void;
  /** The slot has a new value. */
  renew(slot: number, oldBytes: number, bytes: number): void;
  /** The slot is gone by another way than eviction. */
  remove(slot: number, bytes: number): void;
  /**
   * The slot to give up now, never `spare`; it stays known until {@link evict} or {@link remove}. `bytes` holds each slot's charge;
   * `byBytes` says that the byte bound presses. A slot beside `spare` must be there.
   */
  victim(bytes: Uint32Array, byBytes: boolean, spare: number): number;
  /** The slot is given up. */
  evict(slot: number, hash: number, bytes: number): void;
  /** No slots any more. */
  clear(): void;
}

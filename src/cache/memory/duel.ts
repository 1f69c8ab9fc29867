import { Lfu } from "./lfu.ts";
import { Lru } from "./lru.ts";
import { Shadow } from "./shadow.ts";

/** Sampled reads after which the two are compared. */
export const duelWindow = 128;
/** By so many hits, the earlier windows' lead counted half, half of a half and so on, the other one must lead to take over. */
export const duelMargin = 4;
/** The sample is such that each shadow has 512 to 1,024 places; a cache below that is sampled whole. */
const shadowBits = 10;

/**
 * LRU and LFU tried on a sample of the keys, chosen by hash: each has a shadow with the sample's share of the cache's places, and both
 * see the same reads. After each window the one with more hits leads, if it is ahead by the margin. If neither had a single hit in a
 * window, LFU leads: what makes every read miss is a scan, and LFU keeps what was popular before it.
 */
export class Duel {
  readonly #lru = new Shadow((capacity) => new Lru(capacity));
  readonly #lfu = new Shadow((capacity) => new Lfu(capacity));
  readonly #shift: number;
  #room = 1;
  #reads = 0;
  #hits = 0;
  /** Hits of LFU less hits of LRU. */
  #lead = 0;
  #leading: "lru" | "lfu";

  /** `places`: how many entries the cache holds when it is full. */
  constructor(places: number, leading: "lru" | "lfu") {
    this.#shift = shiftFor(places);
    this.#leading = leading;
    this.resize(places);
  }

  get leading(): "lru" | "lfu" {
    return this.#leading;
  }

  /** The cache holds `places` entries now; false: by so many more or fewer than at the beginning that the sample no longer fits. */
  resize(places: number): boolean {
    this.#room = Math.max(1, places >>> this.#shift);
    return Math.abs(shiftFor(places) - this.#shift) < 2;
  }

  samples(hash: number): boolean {
    return this.#shift === 0 || Math.imul(hash, 0x9e37_79b1) >>> (32 - this.#shift) === 0;
  }

  /** A read of a sampled key. */
  read(hash: number): void {
    const recent = this.#lru.read(hash);
    const frequent = this.#lfu.read(hash);
    if (recent || frequent) this.#hits++;
    if (recent !== frequent) this.#lead += frequent ? 1 : -1;
    if (++this.#reads === duelWindow) this.#decide();
  }

  /** A sampled key that the cache holds. */
  put(hash: number): void {
    this.#lru.put(hash, this.#room);
    this.#lfu.put(hash, this.#room);
  }

  forget(hash: number): void {
    this.#lru.forget(hash);
    this.#lfu.forget(hash);
  }

  #decide(): void {
    if (this.#hits === 0 || this.#lead >= duelMargin) this.#leading = "lfu";
    else if (this.#lead <= -duelMargin) this.#leading = "lru";
    this.#lead = Math.trunc(this.#lead / 2);
    this.#reads = 0;
    this.#hits = 0;
  }
}

function shiftFor(places: number): number {
  return Math.max(0, 32 - Math.clz32(places - 1) - shadowBits);
}

import { maxRelays } from "../../runtime/relay-limits.ts";

/** Where the watchers go that a shard has no room for: how many each of its relays has, as far as the shard knows. */
export class Placement {
  readonly #room: number;
  readonly #counts = new Map<number, number>();

  /** `room`: watchers of one relay. */
  constructor(room: number) {
    this.#room = room;
  }

  /** A relay has so many; none: it has nobody, and is not needed. */
  told(relay: number, sessions: number): void {
    if (sessions === 0) this.#counts.delete(relay);
    else this.#counts.set(relay, sessions);
  }

  /** A relay had no room for somebody whom it was sent. */
  full(relay: number): void {
    this.#counts.set(relay, this.#room);
  }

  /** The relay for one more: the fullest that has room, so that few are needed. Undefined: there is none. */
  place(): number | undefined {
    let best: number | undefined;
    let most = 0;
    for (const [relay, sessions] of this.#counts) {
      if (sessions < this.#room && sessions >= most) [best, most] = [relay, sessions];
    }
    for (let relay = 0; best === undefined && relay < maxRelays; relay++) {
      if (!this.#counts.has(relay)) best = relay;
    }
    if (best !== undefined) this.#counts.set(best, (this.#counts.get(best) ?? 0) + 1);
    return best;
  }
}

import { type Seeded, seeded } from "../../support/seeded.ts";

interface Event {
  readonly atMs: number;
  /** Chance decides between events of the same moment. */
  readonly rank: number;
  readonly order: number;
  readonly run: () => void;
  dropped: boolean;
}

/**
 * The world's time. Events happen one after the other, at true times that no host can read; between two of them everything that can run
 * without time passing runs to its end. With the same seed the same happens in the same order.
 */
export class Kernel {
  #nowMs = 0;
  #order = 0;
  #marks = 0;
  readonly #heap: Event[] = [];
  readonly #random: Seeded;
  readonly #seed: number;
  #steps = 0;
  /** What an event threw: a fault of the kit. */
  failure: unknown;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = this.chance("kernel");
  }

  /** True time in ms since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events so far. */
  get steps(): number {
    return this.#steps;
  }

  /** The next number of the world's order of marks: calls and answers. */
  mark(): number {
    this.#marks++;
    return this.#marks;
  }

  /** Chance of its own for one part of the world: what others draw does not change it. */
  chance(name: string): Seeded {
    let hash = this.#seed | 0;
    for (let at = 0; at < name.length; at++)
      hash = Math.imul(hash ^ name.charCodeAt(at), 0x5bd1e995) ^ (hash >>> 13);
    return seeded(hash);
  }

  /** Runs `run` at a true time; the answer cancels it. */
  at(atMs: number, run: () => void): () => void {
    const event: Event = {
      atMs: Math.max(atMs, this.#nowMs),
      rank: this.#random.below(1 << 20),
      order: this.#order++,
      run,
      dropped: false,
    };
    push(this.#heap, event);
    return () => {
      event.dropped = true;
    };
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.#nowMs + Math.max(0, ms), run);
  }

  /** Lets time pass until `untilMs`. Throws what an event threw. */
  async run(untilMs: number): Promise<void> {
    await settle();
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > untilMs) break;
      pop(this.#heap);
      if (event.dropped) continue;
      this.#nowMs = event.atMs;
      this.#steps++;
      event.run();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}

/** All that waits for nothing but its turn runs: nothing in the world waits for the real host. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Event, b: Event): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.rank !== b.rank ? a.rank < b.rank : a.order < b.order;
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up] as Event;
    if (!isBefore(event, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop() as Event;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = at * 2 + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const child = right < heap.length && isBefore(heap[right] as Event, heap[left] as Event) ? right : left;
    if (!isBefore(heap[child] as Event, last)) break;
    heap[at] = heap[child] as Event;
    at = child;
  }
  heap[at] = last;
}

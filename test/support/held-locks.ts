import type { HeldLocks } from "../../src/protocol/fence.ts";

/** Locks that the test gives and takes: nobody else asks for them, and none ends by itself. */
export class HeldByTest implements HeldLocks {
  readonly #held = new Map<string, number>();
  #fence = 100;

  /** Gives a lock to someone else; gives the fence, higher than every one before. */
  grant(lock: string): number {
    this.#fence += 1;
    this.#held.set(lock, this.#fence);
    return this.#fence;
  }

  end(lock: string): void {
    this.#held.delete(lock);
  }

  isHeld(lock: string, fence: number): boolean {
    return this.#held.get(lock) === fence;
  }
}

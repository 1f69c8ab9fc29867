/**
 * Strong invalidations of one session, numbered from 1 and acknowledged in their order: `ack n` says that all up to n are carried out.
 */
export class Acknowledgements {
  readonly #acknowledge: (n: number) => void;
  readonly #failed: (error: unknown) => void;
  readonly #done = new Set<number>();
  #received = 0;
  #acknowledged = 0;

  constructor(acknowledge: (n: number) => void, failed: (error: unknown) => void) {
    this.#acknowledge = acknowledge;
    this.#failed = failed;
  }

  /** Carries out number `n` by `work`, and acknowledges it once that is done. Gives whether `n` is the one that was due. */
  received(n: number, work: () => readonly (void | Promise<void>)[]): boolean {
    if (n !== this.#received + 1) return false;
    this.#received = n;
    try {
      const waits = work().filter((wait) => wait instanceof Promise);
      // Mostly there is nothing to wait for, and a writer waits for this.
      if (waits.length === 0) this.#settled(n);
      else
        Promise.all(waits).then(
          () => this.#settled(n),
          (error: unknown) => this.#failed(error),
        );
    } catch (error) {
      this.#failed(error);
    }
    return true;
  }

  #settled(n: number): void {
    this.#done.add(n);
    const before = this.#acknowledged;
    while (this.#done.delete(this.#acknowledged + 1)) this.#acknowledged++;
    if (this.#acknowledged > before) this.#acknowledge(this.#acknowledged);
  }
}

/**
 * Time, as Warp asks a host for it. Logic never reads the host's clock itself: tests and the simulation pass a
 * virtual one, and `platform/` passes the real one.
 */
export interface Clock {
  /**
   * Milliseconds since the Unix epoch; may be a fraction. It stands still while a Worker computes (it moves on I/O only),
   * which is why elapsed time is never measured inside one synchronous stretch.
   */
  now(): number;
}

/** A cancellable wake-up, in milliseconds from now. */
export interface Timers {
  /** Calls `run` once, not before `delayMs` (0 or more) have passed; the answer cancels it. */
  after(delayMs: number, run: () => void, options?: TimerOptions): () => void;
}

export interface TimerOptions {
  /**
   * Default false. True: it bounds what a caller waits for. A host that ends when nothing is left to do has to go on until then, or the
   * caller's promise would never settle.
   */
  readonly awaited?: boolean;
}

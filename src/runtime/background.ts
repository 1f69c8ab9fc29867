/**
 * Work that outlives the call which started it. In a Worker it must be handed to `waitUntil`, else it dies with
 * the request; in Node it just runs.
 */
export interface Background {
  /** Keeps `work` alive. It must handle its own errors: a rejection here is a bug and goes to the host's log. */
  run(work: Promise<unknown>): void;
}

import { WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import type { Position } from "../../protocol/position.ts";
import { checkCallLimits } from "../../runtime/call-limits.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { cursorAhead, parseWatchCursor } from "../cursor.ts";
import { checkWatch } from "../options.ts";
import type {
  PublicationOptions,
  Watch,
  WatchBus,
  WatchBusSupports,
  WatchOptions,
  WatchTarget,
} from "../watchbus.ts";
import { Watched } from "../watched.ts";
import { MemoryPresence } from "./memory-presence.ts";
import { type Beginning, MemoryWatch } from "./memory-watch.ts";
import type { WatchedLog } from "./watched-log.ts";

const supports: WatchBusSupports = Object.freeze({
  resume: true,
  snapshot: true,
  publish: true,
  remote: false,
  presence: true,
});

/** What a {@link memoryWatchBus} is made of. */
export interface MemoryWatchBusOptions {
  /** `storage.watching` of a `MemoryStorage`. */
  readonly log: WatchedLog;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Watching within a process: every change of the storage and every publication, in order. Its cursors end with the storage. */
export function memoryWatchBus(options: MemoryWatchBusOptions): WatchBus {
  return new MemoryWatchBus(options);
}

class MemoryWatchBus implements WatchBus {
  readonly supports = supports;
  readonly #options: MemoryWatchBusOptions;
  readonly #watches = new Set<MemoryWatch>();
  readonly #watched = new Watched();
  readonly #presence = new MemoryPresence();
  #deaf: (() => void) | undefined;
  #closed = false;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  constructor(options: MemoryWatchBusOptions) {
    this.#options = options;
  }

  get watched(): ReadonlyMap<string, number> {
    return this.#watched.names;
  }

  async watch(target: WatchTarget, options: WatchOptions = {}): Promise<Watch> {
    this.#checkOpen();
    const filter = checkWatch(target, options);
    const { log } = this.#options;
    const beginning = readBeginning(options.from, log.position);
    const { signal, presence } = options;
    const onAbort = (): void => watch.end();
    const left = presence === undefined ? undefined : this.#presence.join(target, presence);
    const unwatched = this.#watched.add(target);
    const watch: MemoryWatch = new MemoryWatch(log, filter, beginning, () => {
      signal?.removeEventListener("abort", onAbort);
      unwatched();
      left?.();
      this.#watches.delete(watch);
      if (this.#watches.size === 0) this.#rest();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#watches.add(watch);
    this.#deaf ??= log.listen(
      () => this.#changed(),
      (publication) => {
        for (const one of this.#watches) one.published(publication);
      },
    );
    this.#awaitEnds();
    return watch;
  }

  async publish(
    target: WatchTarget,
    payload: Payload,
    options: PublicationOptions,
  ): Promise<readonly Position[]> {
    this.#checkOpen();
    checkCallLimits(options);
    const { opId, retained = false } = options;
    const { log } = this.#options;
    const verdict = log.publish({ opId, target, payload, retained });
    if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
    return retained ? [{ ...log.position, revision: verdict.revision }] : [];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watch of [...this.#watches]) watch.end();
    this.#rest();
  }

  #changed(): void {
    for (const watch of this.#watches) watch.changed();
    this.#awaitEnds();
  }

  /** Keys end when somebody looks: while there are watches, someone looks in time (rule WA10). */
  #awaitEnds(): void {
    const { log, timers, clock } = this.#options;
    const atMs = log.nextEndMs;
    if (this.#watches.size === 0 || atMs === this.#timer?.atMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, atMs - clock.now()), longestTimerMs);
    const cancel = timers.after(delayMs, () => {
      this.#timer = undefined;
      // Looking is what ends them.
      void log.position;
      this.#awaitEnds();
    });
    this.#timer = { atMs, cancel };
  }

  /** Nobody watches. */
  #rest(): void {
    this.#deaf?.();
    this.#deaf = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #checkOpen(): void {
    if (this.#closed) throw new WarpError("warp_closed", "this watch bus is closed");
  }
}

/** A host's timers take no more than 31 bits. */
const longestTimerMs = 2_000_000_000;

/** Throws `invalid_cursor`. */
function readBeginning(from: WatchOptions["from"], head: Position): Beginning {
  if (from === "snapshot") return from;
  if (from === undefined || from === "now") return { at: head };
  const [at = head] = parseWatchCursor(from.cursor, 1);
  if (at.epoch === head.epoch && at.revision > head.revision) throw cursorAhead();
  return { at };
}

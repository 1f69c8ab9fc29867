/** Sets the host's one alarm. */
export interface AlarmPort {
  /** Wakes the shard at `atMs` (Unix ms) or soon after, at least once; replaces an earlier setting. */
  set(atMs: number): void;
}

/** Something that becomes due now and then. */
export interface DueSource {
  /** When it is due next (Unix ms); undefined: not. Cheap: it is asked after each commit. */
  nextMs(): number | undefined;
  /** Does what is due at `nowMs`, a bounded piece of it. */
  run(nowMs: number): void;
}

/** A source that is there later, or changes. */
export function dueOf(find: () => DueSource | undefined): DueSource {
  return { nextMs: () => find()?.nextMs(), run: (nowMs) => find()?.run(nowMs) };
}

/**
 * Many due times over the platform's one alarm. Alarms wake, they never decide: what is due is asked of the sources, whose
 * state is in the database, so a lost or late alarm loses nothing.
 */
export class Alarms {
  readonly #port: AlarmPort;
  readonly #sources: readonly DueSource[];
  #armedMs: number | undefined;

  /** `before`: those that these take the place of, whose setting stands. */
  constructor(port: AlarmPort, sources: readonly DueSource[], before?: Alarms) {
    this.#port = port;
    this.#sources = sources;
    if (before !== undefined) this.#armedMs = before.#armedMs;
  }

  /** Sets the alarm to the earliest due time, if that is earlier than what it is set to. A setting costs a billed write. */
  arm(): void {
    const next = this.#next();
    if (next === undefined || (this.#armedMs !== undefined && this.#armedMs <= next)) return;
    this.#port.set(next);
    this.#armedMs = next;
  }

  /** What the alarm handler does: runs every source that is due. Call {@link arm} when that is committed. */
  ring(nowMs: number): void {
    this.#armedMs = undefined;
    for (const source of this.#sources) {
      const due = source.nextMs();
      if (due !== undefined && due <= nowMs) source.run(nowMs);
    }
  }

  /** The alarm was deleted or its setting undone. */
  forget(): void {
    this.#armedMs = undefined;
  }

  #next(): number | undefined {
    let next: number | undefined;
    for (const source of this.#sources) {
      const due = source.nextMs();
      if (due !== undefined && (next === undefined || due < next)) next = due;
    }
    return next;
  }
}

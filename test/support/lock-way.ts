import { WarpError } from "../../src/errors.ts";
import type { LockCalls, ToldEnd } from "../../src/locking/handle-host.ts";
import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import type { CallLimits } from "../../src/runtime/call-limits.ts";
import type { VirtualClock } from "./virtual-clock.ts";

type What = LockCommand["kind"] | "wait";

/** What becomes of a call on its way. `request` and `answer`: that is lost; `refuse`: it could not be sent. */
export interface Fault {
  readonly what: What;
  readonly how: "request" | "answer" | "refuse";
  /** How many calls in a row. Default 1. */
  times?: number;
}

/** The way from handles to an authority, in virtual time: slow, cut, and losing what a test wants. */
export class LockWay implements LockCalls {
  /** All that left, in order. */
  readonly sent: (
    | LockCommand
    | { readonly kind: "wait"; readonly ticket: string; readonly waitMs: number }
  )[] = [];
  readonly faults: Fault[] = [];
  /** There and back, half each. */
  latencyMs = 0;
  /** Nothing arrives, and nobody says so. */
  isCut = false;
  /** Ends are not told. */
  isMute = false;
  readonly #authority: LockCalls;
  readonly #clock: VirtualClock;
  readonly #listeners = new Set<(ended: ToldEnd) => void>();

  constructor(authority: LockCalls, clock: VirtualClock) {
    this.#authority = authority;
    this.#clock = clock;
    authority.onEnd?.((ended) => {
      if (!this.isCut && !this.isMute) for (const listener of [...this.#listeners]) listener(ended);
    });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** What left, by its kind. */
  kinds(): string[] {
    return this.sent.map(({ kind }) => kind);
  }

  run(commands: readonly LockCommand[], options?: CallLimits): Promise<readonly LockVerdict[]> {
    this.sent.push(...commands);
    return this.#travel(commands[0]?.kind ?? "wait", options, (limits) =>
      this.#authority.run(commands, limits),
    );
  }

  wait(place: Parameters<LockCalls["wait"]>[0], options?: CallLimits): Promise<LockVerdict> {
    this.sent.push({ kind: "wait", ticket: place.ticket, waitMs: place.waitMs });
    return this.#travel("wait", options, (limits) => this.#authority.wait(place, limits));
  }

  onEnd(listener: (ended: ToldEnd) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells of an end that the authority did not. */
  tell(ended: ToldEnd): void {
    for (const listener of [...this.#listeners]) listener(ended);
  }

  #travel<T>(
    what: What,
    options: CallLimits | undefined,
    call: (limits: CallLimits) => Promise<T>,
  ): Promise<T> {
    const fault = this.#take(what);
    if (fault === "refuse") return Promise.reject(new WarpError("unavailable", "the way is closed"));
    const { timeoutMs = 10_000, signal } = options ?? {};
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        cancelLate();
        signal?.removeEventListener("abort", onAbort);
      };
      const late = (): void => {
        end();
        reject(new WarpError("deadline_exceeded", "no answer", { outcome: "unknown" }));
      };
      const onAbort = (): void => {
        end();
        reject(new WarpError("aborted", "given up", { outcome: "unknown", cause: signal?.reason }));
      };
      const cancelLate = this.#clock.after(timeoutMs, late);
      signal?.addEventListener("abort", onAbort);
      const arrive = async (): Promise<void> => {
        if (fault === "request" || this.isCut) return;
        try {
          const answer = await call(signal === undefined || what !== "wait" ? {} : { signal });
          if (fault === "answer") return;
          await this.#pass();
          if (this.isCut) return;
          end();
          resolve(answer);
        } catch (error) {
          end();
          reject(error);
        }
      };
      void this.#pass().then(arrive);
    });
  }

  #take(what: What): Fault["how"] | undefined {
    const at = this.faults.findIndex((fault) => fault.what === what);
    const fault = this.faults[at];
    if (fault === undefined) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.faults.splice(at, 1);
    return fault.how;
  }

  #pass(): Promise<void> {
    if (this.latencyMs === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#clock.after(this.latencyMs / 2, resolve));
  }
}

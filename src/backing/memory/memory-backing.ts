import { type ErrorOutcome, WarpError } from "../../errors.ts";
import { maxBackingBatchBytes } from "../../runtime/backing-limits.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import type {
  Backing,
  BackingBatch,
  BackingEntry,
  BackingPage,
  BackingPosition,
  BackingSupports,
  BackingVerdict,
} from "../backing.ts";
import { changeBytes, checkBatch, checkReadKeys, checkScanLimit } from "../batch.ts";
import { MemoryBackingStorage } from "./memory-backing-storage.ts";
import type { MemoryCall, MemoryFault, MemoryFaults } from "./memory-faults.ts";

/** What a {@link MemoryBacking} is made of. */
export interface MemoryBackingOptions {
  /** Lives are judged by it. */
  readonly clock: Clock;
  /** For faults that take time, and those who wait for them. */
  readonly timers: Timers;
  /** Default: one of its own. */
  readonly storage?: MemoryBackingStorage;
  /** Asked before each call is carried out. Default: nothing goes wrong. */
  readonly faults?: MemoryFaults;
  /** Bytes of a batch: 1 or more, default 4 MiB. */
  readonly maxBatchBytes?: number;
}

const supports: BackingSupports = Object.freeze({
  atomicBatch: true,
  expiry: true,
  scan: true,
  persistent: false,
});

/** Storage behind a shard for tests and trials: it loses everything with its process, and anything else when it is told to. */
export function memoryBacking(options: MemoryBackingOptions): MemoryBacking {
  return new MemoryBacking(options);
}

/** See {@link memoryBacking}. */
export class MemoryBacking implements Backing {
  readonly supports = supports;
  readonly maxBatchBytes: number;
  readonly storage: MemoryBackingStorage;
  readonly #options: MemoryBackingOptions;
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(options: MemoryBackingOptions) {
    this.#options = options;
    this.storage = options.storage ?? new MemoryBackingStorage();
    this.maxBatchBytes = options.maxBatchBytes ?? maxBackingBatchBytes;
  }

  async position(shard: number, limits?: CallLimits): Promise<BackingPosition | null> {
    return await this.#call("position", "fail", limits, () => this.storage.position(shard));
  }

  async bind(
    shard: number,
    expected: BackingPosition | null,
    next: BackingPosition,
    limits?: CallLimits,
  ): Promise<boolean> {
    return await this.#call("bind", "unknown", limits, () => this.storage.bind(shard, expected, next));
  }

  async apply(batch: BackingBatch, limits?: CallLimits): Promise<BackingVerdict> {
    this.#begin(limits);
    checkBatch(batch);
    const bytes = batch.changes.reduce((sum, change) => sum + changeBytes(change), 0);
    if (bytes > this.maxBatchBytes) {
      throw new WarpError("batch_too_large", `the batch has ${bytes} bytes; the storage takes less`, {
        details: { bytes, max: this.maxBatchBytes },
      });
    }
    return await this.#call("apply", "unknown", limits, () => this.storage.apply(batch));
  }

  async read(keys: readonly string[], limits?: CallLimits): Promise<readonly (BackingEntry | null)[]> {
    this.#begin(limits);
    checkReadKeys(keys);
    return await this.#call("read", "fail", limits, () => {
      const nowMs = this.#options.clock.now();
      return keys.map((key) => this.storage.read(key, nowMs));
    });
  }

  async scan(
    options: { readonly limit: number; readonly cursor?: string },
    limits?: CallLimits,
  ): Promise<BackingPage> {
    this.#begin(limits);
    checkScanLimit(options.limit);
    const { limit, cursor } = options;
    return await this.#call("scan", "fail", limits, () =>
      this.storage.scan(limit, cursor, this.#options.clock.now()),
    );
  }

  async clear(limits?: CallLimits): Promise<boolean> {
    return await this.#call("clear", "unknown", limits, () => this.storage.clear());
  }

  close(): void {
    this.#closed = true;
    for (const end of [...this.#ends]) end();
  }

  #begin(limits: CallLimits | undefined): void {
    if (this.#closed) throw closed("fail");
    checkCallLimits(limits);
  }

  async #call<T>(
    call: MemoryCall,
    outcome: ErrorOutcome,
    limits: CallLimits | undefined,
    work: () => T,
  ): Promise<T> {
    this.#begin(limits);
    const fault = this.#options.faults?.(call);
    if (fault === undefined) return work();
    return await this.#faulty(fault, outcome, limits, work);
  }

  /** The caller's side of a call that goes wrong; what was sent goes its way, whether or not anybody waits for it. */
  #faulty<T>(
    fault: MemoryFault,
    outcome: ErrorOutcome,
    limits: CallLimits | undefined,
    work: () => T,
  ): Promise<T> {
    const { timers } = this.#options;
    const { timeoutMs = defaultTimeoutMs, signal } = limits ?? {};
    return new Promise<T>((resolve, reject) => {
      const give = (error: WarpError) => () => {
        end();
        reject(error);
      };
      const onAbort = give(
        new WarpError("aborted", "the caller gave up", { outcome, cause: signal?.reason }),
      );
      const onClose = give(closed(outcome));
      const late = `the storage gave no answer within ${timeoutMs} ms`;
      const cancel = timers.after(timeoutMs, give(new WarpError("storage_timeout", late, { outcome })));
      const end = (): void => {
        cancel();
        this.#ends.delete(onClose);
        signal?.removeEventListener("abort", onAbort);
      };
      this.#ends.add(onClose);
      signal?.addEventListener("abort", onAbort, { once: true });
      carryOut(fault, timers, work).then(
        (answer) => {
          end();
          resolve(answer);
        },
        (error: unknown) => {
          end();
          reject(
            error === lost
              ? new WarpError("storage_unavailable", "the storage can't be reached", { outcome })
              : error,
          );
        },
      );
    });
  }
}

/** Stands for an answer that never comes. */
const lost = Symbol("lost");

/** The storage's side of it. */
async function carryOut<T>(fault: MemoryFault, timers: Timers, work: () => T): Promise<T> {
  const wait = (ms = 0): Promise<void> | undefined =>
    ms === 0 ? undefined : new Promise((resolve) => void timers.after(ms, resolve));
  if (fault.copyAfterMs !== undefined) {
    timers.after(fault.copyAfterMs, () => {
      try {
        work();
      } catch {
        // Nobody waits for the answer of a copy.
      }
    });
  }
  await wait(fault.beforeMs);
  if (fault.lose === "before") throw lost;
  const answer = work();
  await wait(fault.afterMs);
  if (fault.lose === "after") throw lost;
  return answer;
}

function closed(outcome: ErrorOutcome): WarpError {
  return new WarpError("warp_closed", "the way to the storage is closed", { outcome });
}

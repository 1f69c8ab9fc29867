import type { LeaseEndAction } from "../../protocol/lease.ts";
import type { Plan, PresentKey } from "../../protocol/plan.ts";
import type { HistoryPolicy } from "../../protocol/registration.ts";
import { DueQueue } from "./due-queue.ts";
import { MemoryHistory, type Version } from "./memory-history.ts";
import { asVersion, MemoryKeys } from "./memory-keys.ts";
import type { MemoryLog } from "./memory-log.ts";

type Put = Extract<Plan<PresentKey>, { act: "put" }>;

/** The values of an in-process storage: keys, their ends, their history and the log always move together here. */
export class MemoryValues {
  readonly keys = new MemoryKeys();
  readonly history: MemoryHistory;
  readonly #log: MemoryLog;
  readonly #due = new DueQueue();
  /** Times never run backwards along the log, whatever the clock does. */
  #newestAtMs = 0;

  constructor(log: MemoryLog, policy: (key: string) => HistoryPolicy | undefined, createdAtMs: number) {
    this.#log = log;
    this.history = new MemoryHistory(
      { policy, present: (key) => this.keys.version(key), head: () => log.head },
      createdAtMs,
    );
  }

  /** A key as plans see it; undefined: absent. */
  present(key: string): PresentKey | undefined {
    const held = this.keys.get(key);
    if (held === undefined) return undefined;
    const { version, payload, endsAtMs } = held;
    const expiresAtMs = endsAtMs === Number.POSITIVE_INFINITY ? undefined : endsAtMs;
    return { version, sizeBytes: payload.bytes.length, expiresAtMs };
  }

  /** Carries out a plan that was made in the same stretch. Gives the revision; 0 for a plan to do nothing. */
  carryOut(plan: Plan<PresentKey>, nowMs: number): number {
    if (plan.act === "nothing") return 0;
    if (plan.act === "put") return this.#put(plan, nowMs);
    if (plan.act === "delete") return this.#end("delete", plan.key, this.timeOf(nowMs));
    return this.#log.append(plan.act, plan.key);
  }

  /** A lease that the key is attached to has ended. */
  endOfLease(key: string, onEnd: LeaseEndAction, nowMs: number): void {
    if (onEnd === "invalidate") this.#log.append("invalidate", key);
    else if (this.keys.get(key) !== undefined) this.#end("delete", key, this.timeOf(nowMs));
  }

  /** What is due is gone, and the log says so. */
  expire(nowMs: number): void {
    while (this.#due.nextMs <= nowMs) {
      const key = this.#due.pop() ?? "";
      const held = this.keys.get(key);
      // Overwritten or deleted since, or overwritten with a later end, which has a place of its own in the queue.
      if (held === undefined || held.endsAtMs > nowMs) continue;
      // The version ends when the life did, not when someone noticed.
      this.#end("expire", key, held.endsAtMs);
    }
    this.history.expire(nowMs);
  }

  /** When the next key ends by itself, or earlier; `Infinity`: none does. */
  get nextEndMs(): number {
    return this.#due.nextMs;
  }

  timeOf(nowMs: number): number {
    return Math.max(Math.floor(nowMs), this.#newestAtMs);
  }

  #put({ key, value }: Put, nowMs: number): number {
    const before = this.keys.version(key);
    const version = this.#log.append("set", key, value.payload);
    const modifiedAtMs = this.timeOf(nowMs);
    this.#newestAtMs = modifiedAtMs;
    const { payload, tags, expiresAtMs } = value;
    const endsAtMs = expiresAtMs ?? Number.POSITIVE_INFINITY;
    const held = { version, modifiedAtMs, payload, tags: tags?.length === 0 ? undefined : tags, endsAtMs };
    this.keys.set(key, held);
    if (expiresAtMs !== undefined) this.#due.push(key, expiresAtMs);
    this.history.add(key, before, asVersion(held));
    return version;
  }

  /** A key goes, at `atMs`; gives the revision. */
  #end(kind: "delete" | "expire", key: string, atMs: number): number {
    const before: Version | undefined = this.keys.version(key);
    const version = this.#log.append(kind, key);
    this.#newestAtMs = Math.max(this.#newestAtMs, atMs);
    this.keys.delete(key);
    const ended = { version, kind, atMs: Math.max(atMs, before?.atMs ?? 0), sizeBytes: 0 };
    this.history.add(key, before, ended);
    return version;
  }
}

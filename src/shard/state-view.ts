import type { MergeRules } from "../merge/merge-rules.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import type { Payload } from "../protocol/payload.ts";
import type { PlanView } from "../protocol/plan.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import type { StoredEntry } from "../protocol/stored.ts";
import type { Fences } from "./fences.ts";
import type { History } from "./history.ts";
import type { KeyChanges } from "./key-changes.ts";
import type { KeyState, KeyTable } from "./key-table.ts";
import type { Lessor } from "./lease/lessor.ts";
import type { RegistrationTable } from "./registration-table.ts";
import type { WitnessSlot } from "./witness.ts";

/** What plans are made from. */
export interface StateParts {
  readonly epoch: string;
  readonly strict: boolean;
  readonly maxValueBytes: number;
  readonly keys: KeyTable;
  readonly history: History;
  readonly changes: KeyChanges;
  readonly witness: WitnessSlot;
  readonly fences: Fences;
  readonly leases: Pick<Lessor, "check">;
  readonly registrations: RegistrationTable;
  readonly merges: MergeRules;
}

/** A shard's state at one moment, as plans see it. */
export class StateView implements PlanView<KeyState> {
  readonly nowMs: number;
  readonly #parts: StateParts;
  readonly #expires: boolean;

  /** `expires`: keys whose end has come are ended as they are met; without it they only count as absent, and nothing is written. */
  constructor(parts: StateParts, nowMs: number, expires: boolean) {
    this.#parts = parts;
    this.nowMs = nowMs;
    this.#expires = expires;
  }

  get epoch(): string {
    return this.#parts.epoch;
  }

  get strict(): boolean {
    return this.#parts.strict;
  }

  get maxValueBytes(): number {
    return this.#parts.maxValueBytes;
  }

  present(key: string): KeyState | undefined {
    const state = this.#parts.keys.state(key, this.nowMs);
    if (!state?.due) return state;
    if (this.#expires) this.#parts.changes.expire(key, state, this.nowMs);
    return undefined;
  }

  entry(key: string): StoredEntry | undefined {
    return this.#parts.keys.get(key, this.nowMs);
  }

  mayBeStored(key: string): boolean {
    return this.#parts.witness.present?.mayBeStored(key) === true;
  }

  settings(key: string): RegistrationSettings | undefined {
    return this.#parts.registrations.settings(key);
  }

  kept(key: string, version: number): ReturnType<PlanView<KeyState>["kept"]> {
    return this.#parts.history.read(key, { version }, this.nowMs);
  }

  isHeld(lock: string, fence: number): boolean {
    return this.#parts.fences.isHeld(lock, fence);
  }

  checkGuard(key: string, guard: FenceGuard): void {
    this.#parts.fences.check(key, guard);
  }

  checkLease(lease: string, key: string): void {
    this.#parts.leases.check(lease, key, this.nowMs);
  }

  merge(settings: RegistrationSettings, stored: Payload | undefined, operand: Payload): Payload {
    return this.#parts.merges.merge(settings, stored, operand);
  }
}

import { type ErrorDetails, WarpError } from "../errors.ts";
import { payloadOf, preconditionHolds, subjectOf, valueTooLarge, type Write } from "./mutation.ts";
import type { FenceGuard, Mutation, Verdict } from "./operation.ts";
import type { Payload } from "./payload.ts";
import { formatETag } from "./position.ts";
import type { RegistrationSettings } from "./registration.ts";
import type { StoredEntry } from "./stored.ts";

/** A key that exists, as far as a change of it must know. */
export interface PresentKey {
  readonly version: number;
  readonly sizeBytes: number;
  /** When its life ends; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** A new value of a key. */
export interface NewValue {
  readonly payload: Payload;
  readonly tags: readonly string[] | undefined;
  readonly expiresAtMs: number | undefined;
}

/** A storage at one moment, as plans are made from it. Its methods throw WarpErrors for refusals only. */
export interface PlanView<P extends PresentKey> {
  readonly nowMs: number;
  readonly epoch: string;
  readonly strict: boolean;
  readonly maxValueBytes: number;
  /** Undefined: absent, or its end has come. */
  present(key: string): P | undefined;
  /** The same with its value. */
  entry(key: string): StoredEntry | undefined;
  /** Whether the storage behind may have a key that is not present: what it said a while ago need not be true any more. Absent: there is none. */
  mayBeStored?(key: string): boolean;
  /** The registration that speaks for a key. */
  settings(key: string): RegistrationSettings | undefined;
  /** A kept version's value. Throws `version_compacted`, `invalid_version`. */
  kept(
    key: string,
    version: number,
  ): { readonly payload?: Payload; readonly tags?: readonly string[] } | null;
  /** Whether a lock of the same shard is held under a fence (rule TX2). */
  isHeld(lock: string, fence: number): boolean;
  /** Throws `stale_fence` where a change of this key under this guard is refused (rule LK14). */
  checkGuard(key: string, guard: FenceGuard): void;
  /** The value that a merge rule makes. Throws `merge_rule_missing`, `merge_rule_unknown`, `merge_failed`. */
  merge(settings: RegistrationSettings, stored: Payload | undefined, operand: Payload): Payload;
  /** Throws where a key may not be attached to a lease: `lease_not_found`, `overloaded`; `unsupported` where there are none. */
  checkLease(lease: string, key: string): void;
}

/** What a mutation will do, made without doing it. A `guard` has been judged; carrying the plan out makes the key remember its fence. */
export type Plan<P extends PresentKey> =
  | {
      readonly act: "put";
      readonly key: string;
      readonly value: NewValue;
      readonly before: P | undefined;
      readonly merged?: true;
      readonly guard?: FenceGuard;
      /** The lease that the key is attached to in the same stretch. */
      readonly lease?: string;
    }
  /** `before` is undefined where only the storage behind may have it (see {@link PlanView.mayBeStored}): it is to delete it. */
  | {
      readonly act: "delete";
      readonly key: string;
      readonly before: P | undefined;
      readonly guard?: FenceGuard;
    }
  /** A log entry alone. */
  | {
      readonly act: "invalidate" | "invalidatePrefix" | "invalidateTag";
      readonly key: string;
      readonly version: number;
      readonly existed: boolean;
    }
  /** A delete of an absent key. */
  | { readonly act: "nothing"; readonly key: string; readonly guard?: FenceGuard };

/** The plan of a mutation that is well-formed (see `checkMutation`). Throws what stands against it: a definite refusal. */
export function planMutation<P extends PresentKey>(mutation: Mutation, view: PlanView<P>): Plan<P> {
  if (mutation.kind === "invalidatePrefix" || mutation.kind === "invalidateTag") {
    return { act: mutation.kind, key: subjectOf(mutation), version: 0, existed: false };
  }
  const { key } = mutation;
  const settings = view.settings(key);
  checkRegistered(view, settings);
  const before = view.present(key);
  if (mutation.kind === "invalidate") {
    return { act: "invalidate", key, version: before?.version ?? 0, existed: before !== undefined };
  }
  const { guard } = mutation;
  if (guard !== undefined) view.checkGuard(key, guard);
  const etag = before === undefined ? undefined : formatETag(view.epoch, before.version);
  if (mutation.when !== undefined && !preconditionHolds(mutation.when, etag)) {
    throw before === undefined
      ? preconditionFailed("the key does not exist", { version: 0 })
      : preconditionFailed("the key is at another version", { version: before.version });
  }
  const plan = planChange(mutation, settings, before, view);
  return guard === undefined ? plan : { ...plan, guard };
}

function planChange<P extends PresentKey>(
  mutation: Extract<Mutation, { kind: "set" | "merge" | "restore" | "delete" }>,
  settings: RegistrationSettings | undefined,
  before: P | undefined,
  view: PlanView<P>,
): Extract<Plan<P>, { act: "put" | "delete" | "nothing" }> {
  const { key } = mutation;
  if (mutation.kind === "delete") {
    const isAbsent = before === undefined && view.mayBeStored?.(key) !== true;
    return isAbsent ? { act: "nothing", key } : { act: "delete", key, before };
  }
  if (mutation.kind === "restore") return planRestore(mutation, before, view);
  return planWrite(mutation, settings, before, view);
}

/** Throws `unregistered` where the space is strict and nothing is registered for a key. */
export function checkRegistered(
  view: Pick<PlanView<PresentKey>, "strict">,
  settings: RegistrationSettings | undefined,
): void {
  if (!view.strict || settings !== undefined) return;
  throw new WarpError("unregistered", "the space is strict and no registration covers this key");
}

export function preconditionFailed(message: string, details: ErrorDetails): WarpError {
  return new WarpError("precondition_failed", message, { details });
}

/** The verdict of a plan that was carried out at `revision` (0 for `nothing`). */
export function verdictOf<P extends PresentKey>(
  plan: Plan<P>,
  revision: number,
): Extract<Verdict, { outcome: "ok" }> {
  if (plan.act === "nothing") return { outcome: "ok", version: 0, revision: 0, existed: false };
  if (plan.act === "delete") {
    return { outcome: "ok", version: 0, revision, existed: plan.before !== undefined };
  }
  if (plan.act === "put") {
    const existed = plan.before !== undefined;
    return { outcome: "ok", version: revision, revision, existed, ...(plan.merged && { merged: true }) };
  }
  return { outcome: "ok", version: plan.version, revision, existed: plan.existed };
}

type Put<P extends PresentKey> = Extract<Plan<P>, { act: "put" }>;

function planWrite<P extends PresentKey>(
  mutation: Write,
  settings: RegistrationSettings | undefined,
  before: P | undefined,
  view: PlanView<P>,
): Put<P> {
  const { key, tags, expiresInMs, lease } = mutation;
  if (lease !== undefined) view.checkLease(lease, key);
  const attached = lease === undefined ? {} : { lease };
  const operand = payloadOf(mutation);
  const expiresAtMs = expiresInMs === undefined ? undefined : Math.floor(view.nowMs) + expiresInMs;
  if (mutation.kind === "set" && (settings?.merge === undefined || mutation.replace === true)) {
    return { act: "put", key, value: { payload: operand, tags, expiresAtMs }, before, ...attached };
  }
  if (settings?.merge === undefined) {
    throw new WarpError("merge_rule_missing", "the key's registration names no merge rule");
  }
  const stored = before === undefined ? undefined : view.entry(key);
  const payload = view.merge(settings, stored?.payload, operand);
  const size = payload.bytes.length;
  if (size > view.maxValueBytes) throw valueTooLarge(size, view.maxValueBytes);
  // An operand changes a value that goes on living: what it does not name stays.
  const value = {
    payload,
    tags: tags ?? stored?.tags,
    expiresAtMs: expiresAtMs ?? before?.expiresAtMs,
  };
  return { act: "put", key, value, before, merged: true, ...attached };
}

function planRestore<P extends PresentKey>(
  { key, version }: Extract<Mutation, { kind: "restore" }>,
  before: P | undefined,
  view: PlanView<P>,
): Put<P> {
  const kept = view.kept(key, version);
  if (kept?.payload === undefined) {
    throw new WarpError("not_found", "the key has no value of this version");
  }
  return {
    act: "put",
    key,
    value: { payload: kept.payload, tags: kept.tags, expiresAtMs: undefined },
    before,
  };
}

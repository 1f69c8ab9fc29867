/** What the nodes of the end-to-end twin are asked about locks and leases, and what they answer. */

import type { LockKind } from "../../../src/protocol/lock.ts";
import type { Failure } from "./calls.ts";

/** A grant, as its holder names it. */
export interface GrantRef {
  readonly name: string;
  readonly owner: string;
  readonly fence: number;
}

export type LockCall =
  /** Acquires, and goes on until it is granted or definitely refused; repeats whatever was not answered. */
  | {
      readonly do: "lock";
      readonly name: string;
      readonly owner: string;
      readonly ttlMs: number;
      readonly waitMs: number;
      readonly kind?: Exclude<LockKind, "election">;
      readonly permits?: number;
      readonly take?: number;
      /** Node processes only: whether the handle renews itself. Default false. */
      readonly autoRenew?: boolean;
      /** Node processes only: it ends with the connection. */
      readonly endsWithSession?: boolean;
      /** Node processes only: leaves the queue after so long. */
      readonly giveUpMs?: number;
    }
  | { readonly do: "unlock"; readonly grant: GrantRef }
  | { readonly do: "renew"; readonly grant: GrantRef }
  | { readonly do: "confirm"; readonly grant: GrantRef }
  /** Node processes only: what the handle believes, without asking anybody. */
  | { readonly do: "belief"; readonly grant: GrantRef };

export type LeaseCall =
  | {
      readonly do: "grant";
      readonly ttlMs: number;
      readonly onEnd: "invalidate" | "delete";
      /** Node processes only. Default false. */
      readonly autoRenew?: boolean;
    }
  | { readonly do: "attach"; readonly id: string; readonly keys: readonly string[] }
  | { readonly do: "keepAlive"; readonly id: string }
  | { readonly do: "revoke"; readonly id: string };

/** The lock is the caller's. Times are of the machine's monotonic clock: see {@link machineMs}. */
export interface Locked {
  readonly ok: true;
  readonly fence: number;
  readonly askedMs: number;
  readonly heldMs: number;
  /** Its holder counts on it until then (rule LK7). */
  readonly validMs: number;
  /** Of its place in the queue; absent: it was free. */
  readonly ticket?: string;
  /** Longest time for which no question of it stood at the server while it waited; of a Node process only where a question had failed. */
  readonly awayMs: number;
  /** Places that it has stood in: more than one means that one was lost. */
  readonly places: number;
}

export interface Belief {
  readonly ok: true;
  readonly lost: boolean;
  /** When its signal fired. */
  readonly lostMs: number | undefined;
  readonly reason: string | undefined;
  readonly remainingMs: number;
}

export interface LockAnswers {
  readonly lock: Locked | Failure;
  /** `held`: it was the caller's until then. */
  readonly unlock: { readonly ok: true; readonly held: boolean } | Failure;
  readonly renew: { readonly ok: true; readonly validMs: number } | Failure;
  readonly confirm: { readonly ok: true } | Failure;
  readonly belief: Belief | Failure;
  readonly grant: { readonly ok: true; readonly id: string } | Failure;
  readonly attach: { readonly ok: true; readonly changed: number } | Failure;
  readonly keepAlive: { readonly ok: true; readonly remainingMs: number } | Failure;
  readonly revoke: { readonly ok: true } | Failure;
}

/** A clock that all processes of this machine read alike, in ms. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** When a waiter came, in the order of its shard's log. */
export function arrivalOf(ticket: string): number {
  return Number.parseInt(ticket, 36);
}

const lockCalls: ReadonlySet<string> = new Set(["lock", "unlock", "renew", "confirm", "belief"]);
const leaseCalls: ReadonlySet<string> = new Set(["grant", "attach", "keepAlive", "revoke"]);

export function isLockCall(call: { readonly do: string }): call is LockCall {
  return lockCalls.has(call.do);
}

export function isLeaseCall(call: { readonly do: string }): call is LeaseCall {
  return leaseCalls.has(call.do);
}

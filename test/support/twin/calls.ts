/** What the nodes of the end-to-end twin are asked, whether isolates over HTTP or Node processes over IPC, and what they answer. */

import type { FenceGuard } from "../../../src/protocol/operation.ts";
import type { LeaseCall, LockAnswers, LockCall } from "./lock-calls.ts";

/** A value as the twin writes it. Null: absent. */
export type Value = number | null;

/** One step of a transaction. A set of null is a delete. */
export type TxnStep =
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "set"; readonly key: string; readonly value: Value }
  | { readonly op: "merge"; readonly key: string; readonly amount: number };

/** One change. `opId` names it for good: a repeat has the same one. */
export type ChangeCall = { readonly opId: string } & (
  | {
      readonly do: "set";
      readonly key: string;
      readonly value: number;
      readonly expiresInMs?: number;
      readonly tags?: readonly string[];
      readonly guard?: FenceGuard;
      /** The id of a lease that the key is attached to. */
      readonly lease?: string;
    }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "merge"; readonly key: string; readonly amount: number }
  | { readonly do: "cas"; readonly key: string; readonly expected: Value; readonly value: number }
  | {
      readonly do: "txn";
      /** Compared, too: the lock is held under this fence. */
      readonly held?: FenceGuard;
      readonly compare: readonly { readonly key: string; readonly is: Value }[];
      readonly success: readonly TxnStep[];
      readonly failure: readonly TxnStep[];
    }
  | {
      readonly do: "invalidate";
      readonly keys?: readonly string[];
      readonly prefix?: string;
      readonly tag?: string;
    }
  /** Sets of several keys in one call, each with its own verdict. */
  | {
      readonly do: "batch";
      readonly sets: readonly { readonly key: string; readonly value: number; readonly opId: string }[];
    }
);

export type ReadCall =
  | { readonly do: "get"; readonly key: string }
  /** All of them at once. */
  | { readonly do: "getMany"; readonly keys: readonly string[] }
  /** Only what L1 gives without loading. */
  | { readonly do: "peek"; readonly keys: readonly string[] }
  | { readonly do: "register"; readonly pattern: string; readonly settings: object };

export type NodeCall = (ReadCall | ChangeCall | LockCall | LeaseCall) & { readonly timeoutMs?: number };

/** What a node knows of one key. */
export interface Seen {
  readonly key: string;
  readonly value: Value;
  readonly version: number;
  readonly cache: string;
  readonly stale: boolean;
  /** It waits for its shard in the space's fallback. */
  readonly provisional?: boolean;
}

/** How one change ended. */
export type Ended =
  | {
      readonly ok: true;
      readonly version: number;
      readonly existed: boolean;
      readonly replayed: boolean;
      /** The log position of the answer, where it says one. */
      readonly revision?: number;
      /** It waits for its shard in the space's fallback. */
      readonly provisional?: boolean;
    }
  | Failure;

export interface Failure {
  readonly ok: false;
  readonly code: string;
  readonly outcome: "fail" | "unknown";
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface TxnEnded {
  readonly ok: true;
  readonly succeeded: boolean;
  readonly version: number;
  readonly replayed: boolean;
  readonly revision: number;
  /** Of each `get` the value; of each change whether the key had existed. */
  readonly results: readonly { readonly value?: Value; readonly existed?: boolean }[];
}

/** What comes back, by what was asked. */
export interface Answers extends LockAnswers {
  readonly get: { readonly ok: true; readonly seen: Seen } | Failure;
  readonly getMany: { readonly ok: true; readonly seen: readonly Seen[] } | Failure;
  readonly peek: { readonly ok: true; readonly seen: readonly Seen[] } | Failure;
  readonly register: { readonly ok: true } | Failure;
  readonly set: Ended;
  readonly delete: Ended;
  readonly merge: Ended;
  readonly cas: Ended;
  readonly txn: TxnEnded | Failure;
  readonly invalidate: { readonly ok: true } | Failure;
  readonly batch: { readonly ok: true; readonly ended: readonly Ended[] } | Failure;
}

export type AnswerOf<C extends NodeCall> = Answers[C["do"]];

/** One node of the twin. */
export interface TwinNode {
  readonly name: string;
  readonly kind: "isolate" | "node";
  call<C extends NodeCall>(call: C): Promise<AnswerOf<C>>;
}

/** The revision in `epoch.revision`. */
export function revisionOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf(".") + 1));
}

export function failed(
  code: string,
  message: string,
  outcome: Failure["outcome"],
  details?: Failure["details"],
): Failure {
  return { ok: false, code, outcome, message, ...(details === undefined ? {} : { details }) };
}

/** Failures of an attempt, not of the operation: they say nothing about an attempt before under the same op id. */
const ofAttempts: ReadonlySet<string> = new Set([
  "unavailable",
  "overloaded",
  "deadline_exceeded",
  "aborted",
  "session_ended",
  "storage_unavailable",
  "storage_timeout",
]);

/** Whether a failure is the end of an operation of which `unknown` attempts had an unknown outcome before. */
export function isVerdict({ code, outcome }: Failure, unknown: number): boolean {
  return outcome === "fail" && (unknown === 0 || !ofAttempts.has(code));
}

import { WarpError } from "../../errors.ts";
import type { GrantEnd, LockGrant, LockWaiter } from "../../locking/lock-store.ts";
import type { ElectionEvent } from "../../protocol/lock.ts";
import type { Payload } from "../../protocol/payload.ts";
import { fromBase64, toBase64 } from "../../runtime/bytes.ts";
import { electionStepMs, endedGrantMs, forcedGrantMs } from "../../runtime/coordination-limits.ts";
import { textOf } from "../../upstash/reply.ts";

/** A step of an election, with its time. */
export interface DatedStep {
  readonly event: ElectionEvent;
  readonly atMs: number;
}

/** All that is known of one name: what a document in Redis holds. */
export interface LockRows {
  /** Live ones by fence, then ended ones by their ends. */
  readonly grants: readonly LockGrant[];
  /** In order of arrival. */
  readonly waiters: readonly LockWaiter[];
  readonly closedUntilMs: number | undefined;
  readonly steps: readonly DatedStep[];
  readonly stepFloor: number;
}

/** What is known of a name that nobody has used. */
export const noRows: LockRows = {
  grants: [],
  waiters: [],
  closedUntilMs: undefined,
  steps: [],
  stepFloor: 0,
};

/** Whether a name is in use: what lists tell of. */
export function isUsed({ grants, waiters, closedUntilMs }: LockRows): boolean {
  return grants.some(({ ended }) => ended === undefined) || waiters.length > 0 || closedUntilMs !== undefined;
}

/** When nothing of it is of use any more; undefined: there is nothing. */
export function rowsEndMs({ grants, waiters, closedUntilMs, steps }: LockRows): number | undefined {
  const keptMs = ({ reason }: GrantEnd): number => (reason === "forced" ? forcedGrantMs : endedGrantMs);
  const ends = [
    ...grants.map(({ ended, deadlineMs }) =>
      ended === undefined ? deadlineMs + endedGrantMs : ended.atMs + keptMs(ended),
    ),
    ...waiters.map(({ waitUntilMs }) => waitUntilMs + endedGrantMs),
    ...(closedUntilMs === undefined ? [] : [closedUntilMs]),
    ...steps.map(({ atMs }) => atMs + electionStepMs),
  ];
  // Steps stay while there is a leader, and are dated by their beginning.
  return ends.length === 0 ? undefined : ends.reduce((latest, endMs) => Math.max(latest, endMs), 0);
}

/** What is stored of them; empty: nothing. The same rows give the same text. */
export function encodeRows(rows: LockRows): string {
  if (rowsEndMs(rows) === undefined) return "";
  return JSON.stringify([
    rows.grants.map((grant) => [
      [grant.fence, grant.owner, grant.kind, grant.permits, grant.take, grant.count, grant.ttlMs],
      [grant.deadlineMs, grant.ticket ?? null, grant.offered ? 1 : 0, grant.delayMs],
      encodeValue(grant.value),
      grant.ended === undefined ? null : endOf(grant.ended),
    ]),
    rows.waiters.map((waiter) => [
      [waiter.ticket, waiter.arrived, waiter.owner, waiter.kind, waiter.permits, waiter.take, waiter.ttlMs],
      [waiter.delayMs, waiter.liveUntilMs, waiter.waitUntilMs, waiter.dueMs],
      encodeValue(waiter.value),
    ]),
    rows.closedUntilMs ?? null,
    rows.steps.map(({ event, atMs }) => [
      [event.revision, event.kind, event.owner, event.fence, event.reason ?? null, atMs],
      encodeValue(event.value),
    ]),
    rows.stepFloor,
  ]);
}

/** Reads what Redis gave for a name. Throws `decode_failed`. */
export function decodeRows(name: string, reply: string): LockRows {
  try {
    const [grants, waiters, closedUntilMs, steps, stepFloor] = JSON.parse(textOf(reply)) as Encoded;
    return {
      grants: grants.map((row) => decodeGrant(name, row)),
      waiters: waiters.map((row) => decodeWaiter(name, row)),
      closedUntilMs: closedUntilMs ?? undefined,
      steps: steps.map(([[revision, kind, owner, fence, reason, atMs], value]) => ({
        event: {
          revision,
          kind,
          owner,
          fence,
          ...(value === null ? {} : { value: decodeValue(value) }),
          ...(reason === null ? {} : { reason }),
        },
        atMs,
      })),
      stepFloor,
    };
  } catch {
    throw new WarpError("decode_failed", "what is stored of a lock has no form that can be read", {
      details: { name },
    });
  }
}

type EncodedValue = readonly [contentType: string, base64: string] | null;
type EncodedGrant = readonly [
  readonly [number, string, LockGrant["kind"], number, number, number, number],
  readonly [number, string | null, 0 | 1, number],
  EncodedValue,
  GrantEnd | null,
];
type EncodedWaiter = readonly [
  readonly [string, number, string, LockWaiter["kind"], number, number, number],
  readonly [number, number, number, number],
  EncodedValue,
];
type EncodedStep = readonly [
  readonly [number, ElectionEvent["kind"], string, number, GrantEnd["reason"] | null, number],
  EncodedValue,
];
type Encoded = readonly [
  readonly EncodedGrant[],
  readonly EncodedWaiter[],
  number | null,
  readonly EncodedStep[],
  number,
];

function encodeValue(value: Payload | undefined): EncodedValue {
  return value === undefined ? null : [value.contentType, toBase64(value.bytes)];
}

function decodeValue([contentType, base64]: NonNullable<EncodedValue>): Payload {
  return { bytes: fromBase64(base64), contentType };
}

function endOf({ atMs, reason, by, fence }: GrantEnd): GrantEnd {
  return { atMs, reason, ...(by === undefined ? {} : { by }), ...(fence === undefined ? {} : { fence }) };
}

/** Nobody has a session there. */
const noSession = { session: undefined, endsWithSession: false } as const;

function decodeGrant(name: string, [head, rest, value, ended]: EncodedGrant): LockGrant {
  const [fence, owner, kind, permits, take, count, ttlMs] = head;
  const [deadlineMs, ticket, offered, delayMs] = rest;
  return {
    ...{ name, fence, owner, kind, permits, take, count, ttlMs, deadlineMs, delayMs },
    ticket: ticket ?? undefined,
    offered: offered === 1,
    value: value === null ? undefined : decodeValue(value),
    ...noSession,
    ended: ended === null ? undefined : ended,
  };
}

function decodeWaiter(name: string, [head, rest, value]: EncodedWaiter): LockWaiter {
  const [ticket, arrived, owner, kind, permits, take, ttlMs] = head;
  const [delayMs, liveUntilMs, waitUntilMs, dueMs] = rest;
  return {
    ...{ name, ticket, arrived, owner, kind, permits, take, ttlMs, delayMs },
    ...{ liveUntilMs, waitUntilMs, dueMs },
    value: value === null ? undefined : decodeValue(value),
    ...noSession,
  };
}

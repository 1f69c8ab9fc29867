import { setTimeout as sleep } from "node:timers/promises";
import { shardOf } from "../../../src/protocol/key.ts";
import { lockClaimMs } from "../../../src/runtime/coordination-limits.ts";
import { newOpId } from "../http-client.ts";
import type { Seeded } from "../seeded.ts";
import type { Failure, TwinNode } from "./calls.ts";
import { insist } from "./insist.ts";
import { type GrantRef, type Locked, machineMs } from "./lock-calls.ts";
import type { HeldLock, LockLedger } from "./lock-ledger.ts";

/** What a client of locks works with. */
export interface LockClientParts {
  readonly client: string;
  readonly node: TwinNode;
  readonly ledger: LockLedger;
  readonly random: Seeded;
  readonly shards: number;
  /** Groups `{g}`: the lock `lock:{g}` guards the counter `count:{g}`. */
  readonly groups: readonly string[];
  /** One of so many holders dies with the lock in its hands. */
  readonly deaths: number;
  /** Longest pause between two rounds, in ms. */
  readonly pauseMs: number;
  readonly isOver: () => boolean;
}

export const ttlMs = 15_000;
const mortalTtlMs = 1_200;
const waitMs = 90_000;
/** An offer stands for three seconds; where a session has ended, its waiters are passed over until they ask again. */
const awayAfterMs = lockClaimMs - 200;

export const lockOf = (group: string): string => `lock:{${group}}`;
export const counterOf = (group: string): string => `count:{${group}}`;

/** Acquires, counts under the lock, and releases, until it is over. */
export async function runLockClient(parts: LockClientParts): Promise<void> {
  for (let round = 0; !parts.isOver(); round++) {
    const group = parts.random.pick(parts.groups);
    const dies = parts.random.below(parts.deaths) === 0;
    await oneRound(parts, group, `${parts.client}.${round}`, dies);
    await sleep(parts.random.below(parts.pauseMs + 1));
  }
}

async function oneRound(parts: LockClientParts, group: string, owner: string, dies: boolean): Promise<void> {
  const { node, ledger } = parts;
  const name = lockOf(group);
  const mayRenew = !dies && node.kind === "node";
  const got = await node.call({
    do: "lock",
    name,
    owner,
    ttlMs: dies ? mortalTtlMs : ttlMs,
    waitMs,
    autoRenew: mayRenew,
    // Some change their mind, and leave the queue.
    ...(mayRenew && parts.random.below(12) === 0 ? { giveUpMs: 5 + parts.random.below(300) } : {}),
  });
  if (!got.ok) {
    ledger.count(`not granted: ${got.code}`);
    if (got.code !== "aborted") await sleep(100);
    return;
  }
  const held = heldAs(parts, name, got, { take: 1, capacity: 1 });
  const { fence, validMs } = got;
  ledger.held.push(held);
  const grant = { name, owner, fence };
  if (dies) {
    await lateWrite(parts, group, grant, held);
    return;
  }
  // A handle that renews itself counts on it until it is given back, or has said that it can't be.
  if (mayRenew) held.endMs = Number.POSITIVE_INFINITY;
  await increment(parts, group, grant, held);
  if (parts.random.below(10) === 0) {
    const proved = await node.call({ do: "confirm", grant });
    if (!proved.ok) refused(parts, proved, held, "confirm");
  }
  if (mayRenew) {
    const belief = await node.call({ do: "belief", grant });
    if (belief.ok && belief.lost) {
      ledger.count(`handle: ${belief.reason}`);
      held.endMs = belief.lostMs ?? machineMs();
      if (belief.reason !== "validity") ledger.seen.push(`lost (${belief.reason}): ${JSON.stringify(held)}`);
    }
  }
  held.endMs = Math.min(held.endMs, machineMs());
  const given = await node.call({ do: "unlock", grant });
  if (!given.ok) ledger.count(`not released: ${given.code}`);
  else if (!given.held && machineMs() < validMs)
    ledger.seen.push(`lost before its time: ${JSON.stringify(held)}`);
}

/** What is written down of a grant. */
function heldAs(
  { node, client, shards }: Pick<LockClientParts, "node" | "client" | "shards">,
  name: string,
  { fence, ticket, places, awayMs, askedMs, heldMs, validMs }: Locked,
  share: Pick<HeldLock, "take" | "capacity">,
): HeldLock {
  return {
    ...{ name, shard: shardOf(name, shards), client, fence, ticket, places, askedMs, heldMs, endMs: validMs },
    wasAway: awayMs > (node.kind === "node" ? 0 : awayAfterMs),
    isMute: ticket === undefined && node.kind === "isolate",
    ...share,
  };
}

/** More permits than there are readers. */
const everyPermit = 1_000;

/** Takes permits of a semaphore of three, or reads and writes, until it is over. */
export async function runSharer(
  parts: Omit<LockClientParts, "groups" | "deaths">,
  shared: "semaphore" | "readers",
): Promise<void> {
  const { node, ledger, random } = parts;
  const name = `shared:${shared}`;
  for (let round = 0; !parts.isOver(); round++) {
    const owner = `${parts.client}.${round}`;
    const isWriter = random.below(4) === 0;
    const [kind, share] =
      shared === "semaphore"
        ? (["semaphore", { take: 1 + random.below(2), capacity: 3 }] as const)
        : ([
            isWriter ? "write" : "read",
            { take: isWriter ? everyPermit : 1, capacity: everyPermit },
          ] as const);
    const permits = shared === "semaphore" ? { permits: share.capacity, take: share.take } : {};
    const got = await node.call({ do: "lock", name, owner, ttlMs, waitMs, kind, ...permits });
    if (!got.ok) {
      ledger.count(`${shared}: ${got.code}`);
      continue;
    }
    const held = heldAs(parts, name, got, share);
    ledger.held.push(held);
    await sleep(random.below(80));
    held.endMs = Math.min(held.endMs, machineMs());
    const given = await node.call({ do: "unlock", grant: { name, owner, fence: got.fence } });
    if (!given.ok) ledger.count(`not released: ${given.code}`);
    else if (!given.held && machineMs() < got.validMs)
      ledger.seen.push(`lost before its time: ${JSON.stringify(held)}`);
    await sleep(random.below(parts.pauseMs + 1));
  }
}

/** Reads the counter under the lock, adds one, and writes it under the lock's fence. */
async function increment(
  parts: LockClientParts,
  group: string,
  grant: GrantRef,
  held: HeldLock,
): Promise<void> {
  const { node } = parts;
  const guard = { lock: grant.name, fence: grant.fence };
  const key = counterOf(group);
  const read = await insist(node, {
    do: "txn",
    held: guard,
    compare: [],
    success: [{ op: "get", key }],
    failure: [],
    opId: newOpId(),
  });
  if (!read.answer.ok) {
    refused(parts, read.answer, held, "read");
    return;
  }
  if (!read.answer.succeeded) {
    const why = { ok: false, code: "lock_lost", outcome: "fail", message: "the comparison" } as const;
    refused(parts, why, held, "read");
    return;
  }
  await write(parts, group, guard, (read.answer.results[0]?.value ?? 0) + 1, held);
}

async function write(
  { node, ledger, ...parts }: LockClientParts,
  group: string,
  guard: { readonly lock: string; readonly fence: number },
  value: number,
  held: HeldLock,
): Promise<Failure | undefined> {
  const call = { do: "set", key: counterOf(group), value, guard, opId: newOpId() } as const;
  const { answer } = await insist(node, call);
  if (answer.ok) {
    ledger.writes.push({ name: guard.lock, fence: guard.fence, value, version: answer.version });
    return undefined;
  }
  if (answer.outcome === "unknown") ledger.doubt(guard.lock);
  refused({ node, ledger, ...parts }, answer, held, "write");
  return answer;
}

/** Stands still with the lock in its hands until nobody may count on it, and writes then. */
async function lateWrite(
  parts: LockClientParts,
  group: string,
  grant: GrantRef,
  held: HeldLock,
): Promise<void> {
  const { node, ledger } = parts;
  const guard = { lock: grant.name, fence: grant.fence };
  const read = await insist(node, {
    do: "txn",
    compare: [],
    success: [{ op: "get", key: counterOf(group) }],
    failure: [],
    opId: newOpId(),
  });
  const value = read.answer.ok ? (read.answer.results[0]?.value ?? 0) : 0;
  // An authority that has begun anew gives each grant a second more.
  await sleep(Math.max(0, held.endMs - machineMs()) + 500 + parts.random.below(1_500));
  const trouble = await write(parts, group, guard, value + 1, held);
  ledger.count(trouble === undefined ? "late writes that came in time" : `late writes: ${trouble.code}`);
}

const losses: ReadonlySet<string> = new Set(["stale_fence", "lock_lost", "not_owner"]);

/** A refusal of what somebody holds whose time is not over is a lock that was lost. */
function refused({ ledger }: LockClientParts, failure: Failure, held: HeldLock, what: string): void {
  ledger.count(`${what} refused: ${failure.code}`);
  // Of a handle that renews itself its own signal tells.
  if (losses.has(failure.code) && machineMs() < held.endMs && Number.isFinite(held.endMs)) {
    ledger.seen.push(
      `lost before its time (${what}: ${failure.code} ${failure.message}): ${JSON.stringify(held)}`,
    );
  }
}

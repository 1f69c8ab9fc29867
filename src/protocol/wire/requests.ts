/** What the calls of a shard take, read member by member: a wrong type never comes as far as the shard. */

import { maxLeaseCallKeys, maxLockCommands } from "../../runtime/coordination-limits.ts";
import {
  maxBatchOperations,
  maxChangesLimit,
  maxComparisons,
  maxListLimit,
  maxShards,
  maxTransactionOperations,
} from "../../runtime/limits.ts";
import type { LeaseCommand } from "../lease.ts";
import type { LockCommand } from "../lock.ts";
import type { FenceGuard, Mutation, Precondition } from "../operation.ts";
import type { Payload } from "../payload.ts";
import type { RegistrationSettings } from "../registration.ts";
import type { ShardApi } from "../shard-api.ts";
import type { Comparison, TransactionOperation } from "../transaction.ts";
import type { WatchTarget } from "../watch.ts";
import {
  bytes,
  isPlain,
  list,
  mark,
  number,
  optional,
  type Reader,
  record,
  streamPlace,
  text,
  truth,
  variants,
  whole,
  word,
  wrongAt,
} from "./check.ts";
import type { WireMethod } from "./frames.ts";
import { spaceOptions } from "./space-requests.ts";

/** The arguments of a call. */
export type WireArguments<M extends WireMethod> = Parameters<ShardApi[M]>;

const scope = {
  space: text,
  shard: whole(0, maxShards - 1),
  // Explicitly undefined where the node does not know the space yet.
  spaceId: ((value, at) => (value === undefined || value === null ? undefined : text(value, at))) as Reader<
    string | undefined
  >,
  registrations: whole(),
  drain: optional(streamPlace),
};

const payload: Reader<Payload> = record({ bytes, contentType: text });

/** Lists of entity tags are bounded by the frame; what is in them is compared, never kept. */
const precondition: Reader<Precondition> = (value, at) => {
  const tags = (member: unknown, place: string): "*" | readonly string[] =>
    member === "*" ? "*" : list(text)(member, place);
  if (isPlain(value) && value.anyOf !== undefined) return { anyOf: tags(value.anyOf, `${at}.anyOf`) };
  if (isPlain(value) && value.noneOf !== undefined) return { noneOf: tags(value.noneOf, `${at}.noneOf`) };
  throw wrongAt(at, "an object with anyOf or noneOf");
};

const tags = list(text, maxBatchOperations);
const when = optional(precondition);
const expiresInMs = optional(number);
const fenceGuard: Reader<FenceGuard> = record({ lock: text, fence: number });
const guard = optional(fenceGuard);
const setParts = {
  key: text,
  payload,
  expiresInMs,
  tags: optional(tags),
  when,
  guard,
  replace: optional(mark),
  lease: optional(text),
};
const mergeParts = {
  key: text,
  operand: payload,
  expiresInMs,
  tags: optional(tags),
  when,
  guard,
  lease: optional(text),
};
const kinds = {
  set: word("set"),
  merge: word("merge"),
  restore: word("restore"),
  delete: word("delete"),
  invalidate: word("invalidate"),
  invalidatePrefix: word("invalidatePrefix"),
  invalidateTag: word("invalidateTag"),
  get: word("get"),
} as const;
const opId = text;

/** One mutation, every member checked. */
export const mutation: Reader<Mutation> = variants<Mutation>("kind", {
  set: record({ kind: kinds.set, opId, ...setParts }),
  merge: record({ kind: kinds.merge, opId, ...mergeParts }),
  restore: record({ kind: kinds.restore, opId, key: text, version: number, when, guard }),
  delete: record({ kind: kinds.delete, opId, key: text, when, guard }),
  invalidate: record({ kind: kinds.invalidate, opId, key: text }),
  invalidatePrefix: record({ kind: kinds.invalidatePrefix, opId, prefix: text }),
  invalidateTag: record({ kind: kinds.invalidateTag, opId, tag: text }),
});

const operation: Reader<TransactionOperation> = variants<TransactionOperation>("kind", {
  set: record({ kind: kinds.set, ...setParts }),
  merge: record({ kind: kinds.merge, ...mergeParts }),
  delete: record({ kind: kinds.delete, key: text, when, guard }),
  get: record({ kind: kinds.get, key: text }),
});

const versionComparison = record({
  key: text,
  version: number,
  is: optional(word("equal", "notEqual", "less", "greater")),
});
const existsComparison = record({ key: text, exists: truth });
const valueComparison = record({ key: text, value: bytes });
const whenComparison = record({ key: text, when: precondition });
const fenceComparison = record({ key: text, fence: number });

const comparison: Reader<Comparison> = (value, at) => {
  if (isPlain(value)) {
    if (value.version !== undefined) return versionComparison(value, at);
    if (value.exists !== undefined) return existsComparison(value, at);
    if (value.value !== undefined) return valueComparison(value, at);
    if (value.when !== undefined) return whenComparison(value, at);
    if (value.fence !== undefined) return fenceComparison(value, at);
  }
  throw wrongAt(at, "an object with key and one of version, exists, value, when, fence");
};

// A little above the limits of transactions, which are the shard's to refuse with a code of their own.
const operations = list(operation, 4 * maxTransactionOperations);
const transaction = record({
  opId,
  compare: list(comparison, 4 * maxComparisons),
  success: operations,
  failure: operations,
});

const which: Reader<{ readonly version: number } | { readonly atMs: number }> = (value, at) =>
  isPlain(value) && value.atMs !== undefined
    ? record({ atMs: number })(value, at)
    : record({ version: number })(value, at);

/** The members are checked where policies are known; here only that it is an object of plain data. */
const settings: Reader<RegistrationSettings> = (value, at) => {
  if (isPlain(value)) return value as unknown as RegistrationSettings;
  throw wrongAt(at, "an object");
};

function one<T>(reader: Reader<T>): Reader<[T]> {
  return (value, at) => [reader(argument(value, at, 0), `${at}[0]`)];
}

function argument(value: unknown, at: string, index: number): unknown {
  if (!Array.isArray(value)) throw wrongAt(at, "a list");
  return value[index];
}

const lease = { opId, id: text };
// A little above what a call may have, as for locks.
const leaseKeys = list(text, 4 * maxLeaseCallKeys);
const leaseCommand: Reader<LeaseCommand> = variants<LeaseCommand>("kind", {
  grant: record({
    kind: word("grant"),
    ...lease,
    ttlMs: number,
    onEnd: word("invalidate", "delete"),
    maxLifeMs: optional(number),
  }),
  keepAlive: record({ kind: word("keepAlive"), ...lease }),
  revoke: record({ kind: word("revoke"), ...lease }),
  attach: record({ kind: word("attach"), ...lease, keys: leaseKeys }),
  detach: record({ kind: word("detach"), ...lease, keys: leaseKeys }),
});

/** A key, or else a prefix. */
export const target: Reader<WatchTarget> = (value, at) =>
  isPlain(value) && value.key !== undefined
    ? record({ key: text })(value, at)
    : record({ prefix: text })(value, at);

const held = { name: text, owner: text };
const fenced = { opId, ...held, fence: number };
const command: Reader<LockCommand> = variants<LockCommand>("kind", {
  acquire: record({
    kind: word("acquire"),
    opId,
    ...held,
    as: word("mutex", "reentrant", "read", "write", "semaphore", "election"),
    ttlMs: number,
    permits: optional(number),
    take: optional(number),
    waitMs: optional(number),
    delayMs: optional(number),
    value: optional(payload),
    endsWithSession: optional(mark),
  }),
  claim: record({ kind: word("claim"), opId, ...held, ticket: text }),
  cancel: record({ kind: word("cancel"), opId, ...held, ticket: text }),
  renew: record({ kind: word("renew"), ...fenced, ttlMs: optional(number) }),
  release: record({ kind: word("release"), ...fenced }),
  confirm: record({ kind: word("confirm"), ...fenced }),
  proclaim: record({ kind: word("proclaim"), ...fenced, value: payload }),
  force: record({ kind: word("force"), opId, name: text, fence: optional(number), by: text }),
});

const readers: { readonly [M in WireMethod]: Reader<WireArguments<M>> } = {
  read: one(
    record({
      ...scope,
      keys: list(text, maxBatchOperations),
      strong: optional(mark),
      hold: optional(mark),
    }),
  ),
  mutate: one(record({ ...scope, mutations: list(mutation, maxBatchOperations) })),
  transact: one(record({ ...scope, transaction })),
  resolve: one(record({ ...scope, opIds: list(text, maxBatchOperations), seal: optional(mark) })),
  list: one(
    record({
      ...scope,
      prefix: text,
      after: optional(text),
      limit: whole(1, maxListLimit),
      values: truth,
      stored: optional(text),
    }),
  ),
  changes: one(record({ ...scope, epoch: text, since: whole(), limit: whole(1, maxChangesLimit) })),
  usage: one(record(scope)),
  readVersion: one(record({ ...scope, key: text, which })),
  history: one(record({ ...scope, key: text, before: optional(number), limit: number })),
  claimLoad: one(
    record({
      ...scope,
      key: text,
      holder: text,
      ttlMs: number,
      waitMs: number,
      release: optional(mark),
    }),
  ),
  getSpace: one(text),
  createSpace: (value, at) => [
    text(argument(value, at, 0), `${at}[0]`),
    spaceOptions(argument(value, at, 1), `${at}[1]`),
  ],
  deleteSpace: (value, at) => {
    const spaceId = argument(value, at, 2);
    const space = text(argument(value, at, 0), `${at}[0]`);
    const step = word("begin", "finish")(argument(value, at, 1), `${at}[1]`);
    return spaceId === undefined || spaceId === null
      ? [space, step]
      : [space, step, text(spaceId, `${at}[2]`)];
  },
  getRegistrations: one(record(scope)),
  register: one(record({ ...scope, pattern: text, settings, ifVersion: optional(whole()) })),
  unregister: one(record({ ...scope, pattern: text })),
  // A little above what a call may have, which is the shard's to refuse with a code of its own.
  lock: one(record({ ...scope, commands: list(command, 4 * maxLockCommands) })),
  waitLock: one(record({ ...scope, ...held, ticket: text, waitMs: number })),
  lockInfo: one(record({ ...scope, name: text })),
  listLocks: one(record({ ...scope, prefix: text, after: optional(text), limit: whole(1, maxListLimit) })),
  observe: one(
    record({ ...scope, name: text, after: optional(whole()), epoch: optional(text), waitMs: number }),
  ),
  lease: one(record({ ...scope, commands: list(leaseCommand, 4 * maxLockCommands) })),
  leaseInfo: one(record({ ...scope, id: text })),
  listLeases: one(record({ ...scope, after: optional(text), limit: number })),
  leaseKeys: one(record({ ...scope, id: text, after: optional(text), limit: number })),
  publish: one(record({ ...scope, opId, target, payload, retained: truth })),
};

/** The methods that there are. */
export const wireMethods: readonly WireMethod[] = Object.keys(readers) as WireMethod[];

/** A call as it may be made: known method, arguments of the right types. */
export type WireCall = {
  readonly [M in WireMethod]: { readonly m: M; readonly a: WireArguments<M> };
}[WireMethod];

/** Reads a call's method and arguments. Throws `invalid_frame` naming the member. */
export function readCall(method: unknown, args: unknown): WireCall {
  const m = wireMethods.find((one) => one === method);
  if (m === undefined) throw wrongAt("m", "the name of a call");
  return { m, a: readers[m](args, "a") } as WireCall;
}

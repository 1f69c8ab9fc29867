import { WarpError } from "../../errors.ts";
import type { Mutation } from "../../protocol/operation.ts";
import type { Transaction, TransactionOperation } from "../../protocol/transaction.ts";
import type { Caller } from "../../protocol/wire/caller.ts";
import type { WireMethod } from "../../protocol/wire/frames.ts";
import type { WireCall } from "../../protocol/wire/requests.ts";

/** What may be called under some prefixes: all that is about keys one by one, or about those that one prefix begins. */
const keyed: ReadonlySet<WireMethod> = new Set<WireMethod>([
  "read",
  "list",
  "readVersion",
  "history",
  "claimLoad",
  "mutate",
  "transact",
  "resolve",
  "publish",
  "getSpace",
  "createSpace",
]);

/**
 * Throws `forbidden` where a call is about keys that lie outside the caller's prefixes, or changes what it may not change. A name that is no key, such
 * as that of a lock, is judged like one.
 */
export function checkKeys(call: WireCall, { prefixes, reads, writes, deletes }: Caller): void {
  if (prefixes !== undefined) {
    if (!keyed.has(call.m)) throw outside("this call reaches beyond the token's key prefixes");
    for (const name of namesOf(call)) {
      if (!prefixes.some((prefix) => name.startsWith(prefix))) {
        throw outside("the call names what lies outside the token's key prefixes");
      }
    }
  }
  if (reads === false && isRead(call)) throw forbidden("read");
  if (writes === false && changes(call)) throw forbidden("write");
  if (deletes === false && isDeletion(call)) throw forbidden("delete");
}

/** The keys, prefixes and names of locks that a call is about. */
function namesOf(call: WireCall): readonly string[] {
  switch (call.m) {
    case "read":
      return call.a[0].keys;
    case "list":
      return [call.a[0].prefix];
    case "readVersion":
    case "history":
    case "claimLoad":
      return [call.a[0].key];
    case "mutate":
      return call.a[0].mutations.flatMap(namesOfMutation);
    case "transact":
      return namesOfTransaction(call.a[0].transaction);
    case "publish": {
      const { target } = call.a[0];
      return ["key" in target ? target.key : target.prefix];
    }
    default:
      return [];
  }
}

function namesOfMutation(mutation: Mutation): readonly string[] {
  if (mutation.kind === "invalidatePrefix") return [mutation.prefix];
  // A tag may be on any key.
  if (mutation.kind === "invalidateTag") return [""];
  return namesOfOperation(mutation);
}

function namesOfOperation(
  operation: { readonly key: string } & Partial<Pick<Extract<Mutation, { kind: "set" }>, "guard">>,
): readonly string[] {
  return operation.guard === undefined ? [operation.key] : [operation.key, operation.guard.lock];
}

function namesOfTransaction({ compare, success, failure }: Transaction): readonly string[] {
  return [...compare.map(({ key }) => key), ...success.flatMap(namesOfPart), ...failure.flatMap(namesOfPart)];
}

function namesOfPart(part: TransactionOperation): readonly string[] {
  return part.kind === "get" ? [part.key] : namesOfOperation(part);
}

/** What tells of keys, locks or leases. Who compares learns something, too. */
const reading: ReadonlySet<WireMethod> = new Set<WireMethod>([
  "read",
  "list",
  "changes",
  "usage",
  "readVersion",
  "history",
  "claimLoad",
  "getRegistrations",
  "lockInfo",
  "listLocks",
  "observe",
  "leaseInfo",
  "listLeases",
  "leaseKeys",
]);

function isRead({ m, a }: WireCall): boolean {
  if (m !== "transact") return reading.has(m);
  const { compare } = a[0].transaction;
  return compare.length > 0 || kindsOf(a[0].transaction).has("get");
}

function changes({ m, a }: WireCall): boolean {
  if (m === "publish" || m === "lease" || m === "createSpace") return true;
  if (m === "mutate") return a[0].mutations.some(({ kind }) => writing.has(kind));
  return m === "transact" && [...kindsOf(a[0].transaction)].some((kind) => writing.has(kind));
}

/** With the end of a lease its keys may be deleted, so that attaching one wants the verb `delete`, too. */
function isDeletion({ m, a }: WireCall): boolean {
  if (m === "lease") return true;
  const parts =
    m === "mutate"
      ? a[0].mutations
      : m === "transact"
        ? [...a[0].transaction.success, ...a[0].transaction.failure]
        : [];
  return parts.some((part) => part.kind === "delete" || ("lease" in part && part.lease !== undefined));
}

const writing: ReadonlySet<string> = new Set<Mutation["kind"]>(["set", "merge", "restore"]);

function kindsOf({ success, failure }: Transaction): ReadonlySet<string> {
  return new Set([...success, ...failure].map(({ kind }) => kind));
}

function outside(why: string): WarpError {
  return new WarpError("forbidden", why);
}

function forbidden(verb: string): WarpError {
  return new WarpError("forbidden", `the token has not the verb ${verb}`, { details: { verb } });
}

import type { Mutation, Precondition } from "../../protocol/operation.ts";
import { formatETag } from "../../protocol/position.ts";
import { scopeOpId, type Verdict } from "../../protocol/shard-api.ts";
import { utf8Length } from "../../runtime/bytes.ts";
import type { Welcome } from "./session.ts";
import type { ClientMutationOptions, Done } from "./types.ts";

type Members<M> = M extends { readonly opId: string } ? Omit<M, "opId" | "when" | "guard"> : never;
/** What is to be done to a key. */
export type Change = Members<Extract<Mutation, { kind: "set" | "merge" | "delete" }>>;

/** A change before it is sent. */
export interface Draft {
  readonly change: Change;
  readonly options: ClientMutationOptions;
  opId: string;
  /** How often it was sent under its op id, which must stay the same once it was. */
  sends: number;
}

/** The change as its shard takes it. */
export function mutationOf({ change, options, opId }: Draft, { subject, epoch }: Welcome): Mutation {
  const { fence } = options;
  const when = conditionOf(options, epoch);
  return {
    ...change,
    opId: scopeOpId(subject, opId),
    ...(when === undefined ? {} : { when }),
    ...(fence === undefined ? {} : { guard: fence }),
  } as Mutation;
}

function conditionOf(
  { ifVersion, ifAbsent }: ClientMutationOptions,
  epoch: string,
): Precondition | undefined {
  if (ifAbsent === true || ifVersion === 0) return { noneOf: "*" };
  return ifVersion === undefined ? undefined : { anyOf: [formatETag(epoch, ifVersion)] };
}

export function doneOf(opId: string, verdict: Extract<Verdict, { outcome: "ok" }>, cursor: string): Done {
  const { version, existed, replayed = false } = verdict;
  return { opId, version, cursor, existed, replayed };
}

/** About how much memory it takes. */
export function bytesOf({ change }: Draft): number {
  const payload = "payload" in change ? change.payload : "operand" in change ? change.operand : undefined;
  return utf8Length(change.key) + (payload?.bytes.length ?? 0);
}

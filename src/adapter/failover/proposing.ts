import { isWarpError, WarpError } from "../../errors.ts";
import type { Fallback, Proposal } from "../../fallback/fallback.ts";
import { valueBytesOf } from "../../protocol/mutation.ts";
import { maxAppendBytes } from "../../runtime/failover-limits.ts";
import { maxProposals } from "../../runtime/fallback-limits.ts";
import type { CallOptions, Mutation, MutationAnswer } from "../adapter.ts";
import { namedKey } from "../batch.ts";
import type { AwayShard } from "./away-shard.ts";
import type { Change } from "./overlay.ts";
import type { SpaceView } from "./space-view.ts";

/** A try at a shard that it did not answer. */
export interface Unanswered {
  readonly error: WarpError;
}

/** Where no shard has answered: a position that says nothing. */
export function nowhere(shard: number) {
  return { shard, epoch: "0".repeat(16), revision: 0 } as const;
}

/** Whether a shard that can't be reached may hear of a mutation later: unconditional, and of a key that is not strong. */
export function isProposable(mutation: Mutation, view: SpaceView): mutation is Change {
  const { kind } = mutation;
  if (kind !== "set" && kind !== "merge" && kind !== "delete") return false;
  if (mutation.when !== undefined || mutation.guard !== undefined) return false;
  if (kind !== "delete" && mutation.lease !== undefined) return false;
  const policy = view.policyOf(mutation.key);
  // In a strict space the shard would refuse it; an operand without a rule, too.
  if (policy === undefined && view.space?.strict === true) return false;
  if (kind === "merge" && policy?.merge === undefined) return false;
  return policy?.mode !== "strong";
}

/**
 * Brings to the stream what may stand there, in order, and gives the answers of all: provisional ones, and of the others what their try at the shard came to. An operation whose try is of
 * unknown fate is not unknown any more once it stands there: the shard carries it out once, by its op id.
 */
export async function propose(
  way: {
    readonly shard: number;
    readonly away: AwayShard;
    readonly fallback: Fallback;
    readonly view: SpaceView;
  },
  { node, atMs }: Pick<Proposal, "node" | "atMs">,
  mutations: readonly Mutation[],
  { error }: Unanswered,
  options: CallOptions | undefined,
): Promise<readonly MutationAnswer[]> {
  const { shard, away, fallback, view } = way;
  const { space } = view;
  const answers = mutations.map((mutation) => refused(shard, mutation, error));
  if (space === undefined) return answers;
  const registrations = view.registrations?.version ?? 0;
  const reading = { spaceId: space.id, isOperand: (change: Change) => view.isOperand(change) };
  for (const places of chunksOf(mutations, view)) {
    const proposals = places.flatMap((at): (Proposal & { mutation: Change })[] => {
      const mutation = mutations[at];
      return mutation !== undefined && isProposable(mutation, view)
        ? [{ mutation, spaceId: space.id, registrations, node, atMs }]
        : [];
    });
    try {
      const at = await fallback.append(shard, proposals, options);
      for (const [i, { mutation }] of proposals.entries()) {
        const place = at[i];
        const index = places[i];
        if (place === undefined || index === undefined)
          throw new WarpError("internal", "a proposal has no place");
        away.take(place, mutation, reading, atMs);
        answers[index] = provisional(shard, mutation);
      }
    } catch (failed) {
      for (const index of places) {
        const mutation = mutations[index];
        if (mutation !== undefined) answers[index] = refused(shard, mutation, bothFailed(error, failed));
      }
      // What comes later must not stand there without what came before.
      break;
    }
  }
  return answers;
}

/** The places of mutations that may be proposed, by appends. */
function chunksOf(mutations: readonly Mutation[], view: SpaceView): readonly (readonly number[])[] {
  const chunks: number[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [at, mutation] of mutations.entries()) {
    if (!isProposable(mutation, view)) continue;
    bytes += valueBytesOf(mutation);
    const last = chunks.at(-1);
    if (last !== undefined && last.length < maxProposals && bytes <= maxAppendBytes) last.push(at);
    else {
      chunks.push([at]);
      bytes = valueBytesOf(mutation);
    }
  }
  return chunks;
}

function provisional(shard: number, mutation: Mutation): MutationAnswer {
  const verdict = { outcome: "ok", version: 0, revision: 0, existed: false, provisional: true } as const;
  return { ...namedKey(mutation), verdict, asOf: nowhere(shard), provisional: true };
}

function refused(shard: number, mutation: Mutation, error: WarpError): MutationAnswer {
  const verdict = { outcome: "fail", error: error.toData() } as const;
  return { ...namedKey(mutation), verdict, asOf: nowhere(shard), provisional: true };
}

/** Neither way worked: nothing was done only if both say so. */
function bothFailed(direct: WarpError, failed: unknown): WarpError {
  const around = WarpError.from(failed, "internal", "the fallback's stream failed", { outcome: "unknown" });
  const outcome = direct.outcome === "fail" && around.outcome === "fail" ? "fail" : "unknown";
  const code = isWarpError(around, "overloaded", "op_id_expired") ? around.code : direct.code;
  return new WarpError(code, `the shard can't be reached, and its fallback took nothing: ${around.message}`, {
    outcome,
    cause: around,
    ...(around.retryAfterMs !== undefined && { retryAfterMs: around.retryAfterMs }),
  });
}

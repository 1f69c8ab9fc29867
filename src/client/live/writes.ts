import { isWarpError, WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import { formatCursor } from "../../protocol/position.ts";
import type { MutateReply } from "../../protocol/shard-api.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { LiveCalls } from "./calls.ts";
import { type Change, type Draft, doneOf, mutationOf } from "./draft.ts";
import type { LiveLinks } from "./links.ts";
import type { ClientMutationOptions, Done, Queued, Written } from "./types.ts";

/** How one change of several ended. */
export type Ended = { readonly done: Done } | { readonly error: WarpError };

/** Takes what can't be sent now. */
export interface Waitlist {
  readonly size: number;
  add(draft: Draft): Queued;
}

/** Changes of keys: sent at once, or queued where the deployment can't be reached. */
export class LiveWrites {
  readonly #calls: LiveCalls;
  readonly #links: LiveLinks;

  constructor(calls: LiveCalls, links: LiveLinks) {
    this.#calls = calls;
    this.#links = links;
  }

  async write(change: Change, options: ClientMutationOptions, queue: Waitlist): Promise<Written> {
    const draft: Draft = { change, options, opId: options.opId ?? this.#links.newId(), sends: 0 };
    const mayWait = options.offline !== "fail";
    checkCallLimits(options);
    // What waits already comes first.
    if (mayWait && (queue.size > 0 || this.#links.status === "offline")) return queue.add(draft);
    try {
      const [ended] = await this.send([draft], options);
      if (ended !== undefined && "done" in ended) return ended.done;
      throw ended?.error ?? new WarpError("internal", "there is no verdict", { outcome: "unknown" });
    } catch (error) {
      if (!isWarpError(error)) throw error;
      const isUnreached = error.code === "unavailable" || error.code === "deadline_exceeded";
      if (mayWait && draft.sends === 0 && isUnreached) return queue.add(draft);
      throw named(error, draft.opId);
    }
  }

  /** Changes of one shard, in one commit and in their order. Throws what befalls all of them. */
  async send(drafts: readonly Draft[], limits: CallLimits): Promise<readonly Ended[]> {
    const key = drafts[0]?.change.key ?? "";
    const reply = await this.#calls.ask<MutateReply>(
      "mutation",
      "mutate",
      (shards) => shardOf(key, shards),
      (welcome) => ({
        mutations: drafts.map((draft) => {
          draft.sends++;
          return mutationOf(draft, welcome);
        }),
      }),
      limits,
    );
    const cursor = formatCursor({ epoch: reply.epoch, revision: reply.asOf });
    return drafts.map(({ opId }, at) => {
      const verdict = reply.verdicts[at];
      return verdict?.outcome === "ok"
        ? { done: doneOf(opId, verdict, cursor) }
        : {
            error:
              verdict === undefined
                ? new WarpError("internal", "there is no verdict")
                : WarpError.fromData(verdict.error),
          };
    });
  }
}

/** An unknown outcome names its op id: the call can be repeated with it. */
function named(error: WarpError, opId: string): WarpError {
  if (error.outcome === "fail") return error;
  return new WarpError(error.code, error.message, {
    ...error.toData(),
    cause: error.cause,
    details: { ...error.details, opId },
  });
}

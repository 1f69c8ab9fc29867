import { WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import type { Mutation } from "../../protocol/operation.ts";
import { type MutateReply, scopeOpId } from "../../protocol/shard-api.ts";
import type { LiveCalls } from "./calls.ts";
import type { LiveLinks } from "./links.ts";
import type { ClientCallOptions, ClientMutationOptions, Done, Queued, Written } from "./types.ts";

type Members<M> = M extends { readonly opId: string } ? Omit<M, "opId" | "when" | "guard"> : never;
/** What is to be done to a key. */
export type Change = Members<Extract<Mutation, { kind: "set" | "merge" | "delete" }>>;

/** A change before it is sent. */
export interface Draft {
  readonly change: Change;
  readonly options: ClientMutationOptions;
  opId: string;
  /** What was known when it was made: under another subject it is not sent, and in another epoch no version holds. */
  subject: string | undefined;
  readonly epoch: string | undefined;
  /** How often it was sent under its op id, which must stay the same once it was. */
  sends: number;
}

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
    const { opId = this.#links.newId(), offline, signal } = options;
    const { knownShards } = this.#calls;
    const epoch = knownShards ? this.#links.at(shardOf(change.key, knownShards)).epoch : undefined;
    const draft: Draft = {
      change,
      options,
      opId,
      sends: 0,
      subject: this.#links.subject,
      epoch,
    };
    const mayWait = offline !== "fail" && !signal?.aborted;
    // What waits already comes first.
    if (mayWait && (queue.size > 0 || this.#links.status === "offline")) return queue.add(draft);
    const [ended] = await this.send([draft], options).catch((error: WarpError): Ended[] => [{ error }]);
    if (ended && "done" in ended) return ended.done;
    const error = ended?.error as WarpError;
    const { code, outcome } = error;
    if (mayWait && draft.sends === 0 && (code === "unavailable" || code === "deadline_exceeded"))
      return queue.add(draft);
    if (outcome === "fail") throw error;
    // It names its op id: the call can be repeated with it.
    throw WarpError.fromData({ ...error.toData(), details: { ...error.details, opId } });
  }

  /** Changes of one shard, in one commit and in their order. Throws what befalls all of them. */
  async send(drafts: readonly Draft[], options: ClientCallOptions): Promise<readonly Ended[]> {
    const key = drafts[0]?.change.key ?? "";
    const { verdicts, epoch, asOf } = await this.#calls.ask<MutateReply>(
      "mutate",
      (shards) => shardOf(key, shards),
      ({ subject }, epoch) => ({ mutations: drafts.map((draft) => mutationOf(draft, subject, epoch)) }),
      options,
    );
    return verdicts.map((verdict, at): Ended => {
      if (verdict.outcome === "fail") return { error: WarpError.fromData(verdict.error) };
      const { outcome: _, merged: __, provisional: ___, ...told } = verdict;
      return { done: { replayed: false, ...told, opId: drafts[at]?.opId ?? "", cursor: `${epoch}.${asOf}` } };
    });
  }
}

/** The change as its shard takes it, on its way. */
function mutationOf(draft: Draft, subject: string, epoch: string | undefined): Mutation {
  const { ifVersion, ifAbsent, fence } = draft.options;
  draft.sends++;
  if ((draft.subject ?? subject) !== subject)
    throw new WarpError("forbidden", "it was made under another subject");
  const when =
    ifAbsent || ifVersion === 0
      ? { noneOf: "*" }
      : ifVersion !== undefined && { anyOf: [`${draft.epoch ?? epoch}.${ifVersion}`] };
  return {
    ...draft.change,
    opId: scopeOpId(subject, draft.opId),
    when: when || undefined,
    guard: fence,
  } as Mutation;
}

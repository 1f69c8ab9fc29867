import type { SpaceClient } from "../../../src/connection/space-client.ts";
import type { Lookup } from "../../../src/core/types.ts";
import { type Mutation, scopeOpId, type Verdict } from "../../../src/protocol/shard-api.ts";
import { jsonCodec } from "../../../src/runtime/codec.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Action, Operation, Value } from "../check/history.ts";
import { Attempts, type Change, type Done, Refused, revisionOf, sleep } from "./attempts.ts";
import type { Kernel } from "./kernel.ts";
import { endLease } from "./lease-call.ts";
import type { Caller, Plan, PlannedCall } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { Host, SimNode } from "./sim-node.ts";
import { conditionally, doneBy, plainly, told } from "./told.ts";
import { commitTransaction, type Seen, transactionAction, withoutReads } from "./transaction-call.ts";

/** Whose op ids the door's are. */
const subject = "door";
/** How long clients wait. */
const timeoutMs = 2_500;

/** What clients work on. */
export interface ClientParts {
  readonly kernel: Kernel;
  readonly plan: Plan;
  readonly recorder: Recorder;
  readonly node: (at: number) => SimNode;
  readonly door: { readonly host: Host; readonly client: SpaceClient };
  /** Whether gets of a key at a node have to be linearizable. */
  readonly isStrong: (node: number, key: string) => boolean;
  /** How far the log of the first shard is stored. */
  readonly head: () => number;
}

/** Carries out planned calls, each on its own, and records them. Nothing is thrown: what went wrong is in the record. */
export class Clients {
  readonly #parts: ClientParts;
  readonly #attempts: Attempts;
  /** Values that were last seen of a key, by anyone: what compares expect. */
  readonly #seen = new Map<string, Seen>();

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.kernel, parts.recorder, parts.plan.repeats);
  }

  /** `place`: the call's place in the plan, of which its values are made. */
  start(call: PlannedCall, place: number): void {
    const host = this.#hostOf(call.by);
    // A host that is paused makes the call afterwards.
    host.deliver(() => void this.run(call, place));
  }

  #hostOf(by: Caller): Host {
    return by === "door" ? this.#parts.door.host : this.#parts.node(by);
  }

  async run(call: PlannedCall, place: number): Promise<void> {
    const value = (place + 1) * 10;
    switch (call.do) {
      case "get":
        await this.get(call.by, call.key, call.allowStale);
        return;
      case "getMany":
        return await this.#getMany(call.by, call.keys);
      case "set": {
        const { expiresInMs, tag } = call;
        return await this.#write(call.by, "set", call.key, value, { expiresInMs, tag });
      }
      case "delete":
        return await this.#write(call.by, "delete", call.key, null, {});
      case "leaseEnd":
        return await endLease(this.#parts, call);
      case "cas":
        return await this.#cas(call.by, call.key, value, call.thinkMs);
      case "import":
        return await this.#import(call.by, call.keys, value);
      case "invalidate":
        return await this.#invalidate(call.by, call.target);
      case "swap":
        return await this.#swap(call.by, call.key, value);
      case "merge":
        return await this.#merge(call.by, call.key, call.amount);
      case "transaction":
        return await this.#transaction(call, value);
    }
  }

  /** One get; gives what was found. */
  async get(by: number, key: string, allowStale: boolean): Promise<Lookup<number> | undefined> {
    const { recorder, plan } = this.#parts;
    const node = this.#parts.node(by);
    const strong = this.#parts.isStrong(by, key);
    const op = recorder.begin({
      kind: "get",
      node: node.name,
      keys: [key],
      strong,
      ...(strong ? {} : { boundMs: plan.maxStalenessMs }),
    });
    try {
      const found = await node.warp.lookup<number>(key, { timeoutMs, allowStale });
      this.#found(op, key, found);
      return found;
    } catch (error) {
      recorder.failed(op, error);
      return undefined;
    }
  }

  async #getMany(by: number, keys: readonly string[]): Promise<void> {
    const { recorder, plan } = this.#parts;
    const node = this.#parts.node(by);
    const ops = keys.map((key) => {
      const strong = this.#parts.isStrong(by, key);
      return recorder.begin({
        kind: "get",
        node: node.name,
        keys: [key],
        strong,
        boundMs: plan.maxStalenessMs,
      });
    });
    try {
      const found = await node.warp.lookupMany<number>(keys, { timeoutMs });
      for (const op of ops) {
        const [key = ""] = op.keys;
        const one = found.get(key);
        if (one !== undefined) this.#found(op, key, one);
      }
    } catch (error) {
      for (const op of ops) recorder.failed(op, error);
    }
  }

  #found(op: Operation, key: string, found: Lookup<number>): void {
    const value = found.value ?? null;
    this.#seen.set(key, { value, version: found.version });
    this.#parts.recorder.end(op, plainly({ do: "read", key, value }), {
      version: found.version,
      asOf: revisionOf(found.cursor),
      stale: "stale" in found && found.stale,
      cache: found.cache,
    });
  }

  async #write(
    by: Caller,
    kind: "set" | "delete",
    key: string,
    value: Value,
    { expiresInMs, tag }: { expiresInMs?: number | undefined; tag?: string | undefined },
  ): Promise<void> {
    const host = this.#hostOf(by);
    const life = expiresInMs === undefined ? {} : { expiresInMs };
    const tags = tag === undefined ? {} : { tags: [tag] };
    const action = plainly({ do: "write", key, value });
    const op = this.#parts.recorder.begin({ kind, node: host.name, keys: [key], action, ...life });
    await this.#attempts.make({
      op,
      host,
      attempt: async (opId) => {
        if (by === "door") {
          const scoped = scopeOpId(subject, opId);
          const mutation: Mutation =
            kind === "set"
              ? { kind, opId: scoped, key, payload: jsonCodec.encode(value), ...life, ...tags }
              : { kind: "delete", opId: scoped, key };
          return await this.#door(mutation, action);
        }
        const { warp } = this.#parts.node(by);
        const result =
          kind === "set"
            ? await warp.set(key, value, { opId, timeoutMs, ...life, ...tags })
            : await warp.delete(key, { opId, timeoutMs });
        return doneBy(action, result);
      },
      ...this.#resolving(by, key),
    });
  }

  async #merge(by: Caller, key: string, amount: number): Promise<void> {
    const host = this.#hostOf(by);
    const action = plainly({ do: "add", key, amount });
    const op = this.#parts.recorder.begin({ kind: "merge", node: host.name, keys: [key], action });
    await this.#attempts.make({
      op,
      host,
      attempt: async (opId) => {
        if (by === "door") {
          const operand = jsonCodec.encode(amount);
          return await this.#door({ kind: "merge", opId: scopeOpId(subject, opId), key, operand }, action);
        }
        const { version, cursor } = await this.#parts.node(by).warp.merge(key, amount, { opId, timeoutMs });
        return { action, version, cursor };
      },
      ...this.#resolving(by, key),
    });
  }

  async #cas(by: number, key: string, value: number, thinkMs: number): Promise<void> {
    const found = await this.get(by, key, false);
    if (found === undefined) return;
    const host = this.#hostOf(by);
    await sleep(this.#parts.kernel, host, thinkMs);
    const action = conditionally(key, found.value ?? null, value);
    const op = this.#parts.recorder.begin({ kind: "cas", node: host.name, keys: [key], action });
    await this.#attempts.make({
      op,
      host,
      attempt: async (opId) => {
        const { warp } = this.#parts.node(by);
        return doneBy(action, await warp.set(key, value, { opId, timeoutMs, ifVersion: found.version }));
      },
      ...this.#resolving(by, key),
    });
  }

  async #swap(by: number, key: string, value: number): Promise<void> {
    const host = this.#hostOf(by);
    const expected = this.#seen.get(key)?.value ?? null;
    const action = conditionally(key, expected, value);
    const op = this.#parts.recorder.begin({ kind: "transaction", node: host.name, keys: [key], action });
    await this.#attempts.make({
      op,
      host,
      attempt: async (opId) => {
        const { warp } = this.#parts.node(by);
        return doneBy(action, await warp.cas(key, expected ?? undefined, value, { opId, timeoutMs }));
      },
    });
  }

  async #transaction(call: Extract<PlannedCall, { do: "transaction" }>, value: number): Promise<void> {
    const host = this.#hostOf(call.by);
    const seen = new Map(this.#seen);
    const action = transactionAction(call, value, seen);
    if (action.success.length + action.failure.length === 0) return;
    const { keys } = call;
    const byVersion = host.random.below(2) === 0;
    const op = this.#parts.recorder.begin({
      kind: "transaction",
      node: host.name,
      keys,
      action: withoutReads(action),
    });
    await this.#attempts.make({
      op,
      host,
      attempt: (opId) =>
        commitTransaction(this.#parts.node(call.by).warp, action, seen, byVersion, { opId, timeoutMs }),
      ...this.#resolving(call.by, keys[0] ?? ""),
    });
  }

  async #door(mutation: Mutation, action: Action): Promise<Done> {
    const [answers] = await this.#parts.door.client.mutate([mutation], { timeoutMs });
    const verdict = answers?.[0].answer as Verdict;
    if (verdict.outcome === "fail") throw new Refused(verdict.error.code);
    return doneBy(action, verdict);
  }

  #resolving(by: Caller, key: string): Pick<Change, "resolve"> {
    if (by === "door") return {};
    return {
      resolve: (opId, seal) => this.#parts.node(by).warp.resolve(opId, { key, seal, timeoutMs }),
    };
  }

  /** Several sets in one call, each with its own verdict, not atomic. */
  async #import(by: Caller, keys: readonly string[], value: number): Promise<void> {
    const { recorder } = this.#parts;
    const host = this.#hostOf(by);
    const ops = keys.map((key, at) =>
      recorder.begin({
        kind: "set",
        node: host.name,
        keys: [key],
        action: plainly({ do: "write", key, value: value + at }),
      }),
    );
    const entries = keys.map((key, at) => [key, value + at] as const);
    const opId = uuidv7(host.time.wall, host.random);
    for (const [at, op] of ops.entries()) op.opId = scopeOpId(by === "door" ? subject : "node", opId, at);
    if (by !== "door") {
      const results = await this.#parts
        .node(by)
        .warp.setMany(entries, { opId, timeoutMs })
        .catch(() => []);
      for (const [at, op] of ops.entries()) {
        const one = results[at];
        if (one?.result !== undefined)
          recorder.end(op, told(op.action, one.result.existed), { version: one.result.version });
        else if (one !== undefined) recorder.failed(op, one.error);
      }
      return;
    }
    const mutations = entries.map(
      ([key, one], at): Mutation => ({
        kind: "set",
        opId: scopeOpId(subject, opId, at),
        key,
        payload: jsonCodec.encode(one),
      }),
    );
    try {
      const answers = await this.#parts.door.client.mutate(mutations, { timeoutMs });
      for (const [at, op] of ops.entries()) {
        const verdict = answers[at]?.[0].answer;
        if (verdict?.outcome === "ok")
          recorder.end(op, told(op.action, verdict.existed), { version: verdict.version });
        else if (verdict !== undefined) recorder.refused(op, verdict.error.code);
      }
    } catch (error) {
      for (const op of ops) recorder.failed(op, error);
    }
  }

  async #invalidate(
    by: number,
    target: { readonly keys: readonly string[] } | { readonly prefix: string } | { readonly tag: string },
  ): Promise<void> {
    const { recorder } = this.#parts;
    const node = this.#parts.node(by);
    const op = recorder.begin({ kind: "invalidate", node: node.name, keys: [] });
    op.asOf = this.#parts.head();
    op.invalidates = invalidated(this.#parts.plan, target);
    try {
      await node.warp.invalidate("tag" in target ? { tags: [target.tag] } : target, { timeoutMs });
      recorder.end(op, undefined);
    } catch (error) {
      recorder.failed(op, error);
    }
  }
}

/** The keys of the plan that `target` surely speaks of; where there are several shards, whose positions say nothing of each other, none. */
function invalidated(
  { keys, shards, steps }: Plan,
  target: Extract<PlannedCall, { do: "invalidate" }>["target"],
): readonly string[] {
  if (shards > 1) return [];
  const names = keys.map(({ key }) => key);
  if ("keys" in target) return names.filter((key) => target.keys.includes(key));
  if ("prefix" in target) return names.filter((key) => key.startsWith(target.prefix));
  // Of all that is written, all has the tag.
  const isTagged = steps.every(
    (step) =>
      !("do" in step) ||
      ["get", "getMany", "invalidate"].includes(step.do) ||
      (step.do === "set" && step.tag === target.tag),
  );
  return isTagged ? names : [];
}

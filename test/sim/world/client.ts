import type { SpaceClient } from "../../../src/connection/space-client.ts";
import type { Lookup, MutationResult } from "../../../src/core/types.ts";
import { isWarpError } from "../../../src/errors.ts";
import { type Mutation, scopeOpId, type Verdict } from "../../../src/protocol/shard-api.ts";
import { jsonCodec } from "../../../src/runtime/codec.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Action, Operation, Value } from "../check/history.ts";
import type { Kernel } from "./kernel.ts";
import type { Caller, Plan, PlannedCall } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { Host, SimNode } from "./sim-node.ts";

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
}

/** Codes by which a shard says of the operation itself, also when it is asked again, that it was not done and will not be. */
const verdictCodes = new Set([
  "precondition_failed",
  "quorum_failed",
  "write_interrupted",
  "op_sealed",
  "merge_failed",
]);

/** Carries out planned calls, each on its own, and records them. Nothing is thrown: what went wrong is in the record. */
export class Clients {
  readonly #parts: ClientParts;
  /** Values that were last seen of a key, by anyone: what compares expect. */
  readonly #seen = new Map<string, { readonly value: Value; readonly version: number }>();

  constructor(parts: ClientParts) {
    this.#parts = parts;
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
      case "cas":
        return await this.#cas(call.by, call.key, value, call.thinkMs);
      case "import":
        return await this.#import(call.by, call.keys, value);
      case "invalidate":
        return await this.#invalidate(call.by, call.target);
      case "merge":
      case "transaction":
        return;
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
    const action = plainly({ do: "write", key, value });
    const node = this.#hostOf(by);
    const op = this.#parts.recorder.begin({
      kind,
      node: node.name,
      keys: [key],
      action,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
    });
    const tags = tag === undefined ? {} : { tags: [tag] };
    const life = expiresInMs === undefined ? {} : { expiresInMs };
    await this.#change(op, by, async (opId) => {
      if (by === "door") {
        const scoped = scopeOpId(subject, opId);
        const mutation: Mutation =
          kind === "set"
            ? { kind, opId: scoped, key, payload: jsonCodec.encode(value), ...life, ...tags }
            : { kind: "delete", opId: scoped, key };
        return await this.#door(mutation);
      }
      const { warp } = this.#parts.node(by);
      return kind === "set"
        ? await warp.set(key, value, { opId, timeoutMs, ...life, ...tags })
        : await warp.delete(key, { opId, timeoutMs });
    });
  }

  async #door(mutation: Mutation): Promise<Pick<MutationResult, "version" | "existed">> {
    const [answers] = await this.#parts.door.client.mutate([mutation], { timeoutMs });
    const verdict = answers?.[0].answer as Verdict;
    if (verdict.outcome === "fail")
      throw Object.assign(new Error(verdict.error.code), { verdict: verdict.error });
    return verdict;
  }

  /** Makes a change; where its fate stays unknown, it may be asked for once more under the same op id. */
  async #change(
    op: Operation,
    by: Caller,
    attempt: (
      opId: string,
    ) => Promise<Pick<MutationResult, "version" | "existed"> & { readonly cursor?: string }>,
  ): Promise<void> {
    const { recorder, plan, kernel } = this.#parts;
    const host = this.#hostOf(by);
    const opId = uuidv7(host.time.wall, host.random);
    for (let tries = plan.repeats ? 3 : 1, again = false; tries > 0; tries--, again = true) {
      try {
        const result = await attempt(opId);
        const version = result.version > 0 ? { version: result.version } : {};
        const asOf = result.cursor === undefined ? {} : { asOf: revisionOf(result.cursor) };
        recorder.end(op, told(op.action, result.existed), { ...version, ...asOf });
        return;
      } catch (error) {
        const code = codeOf(error);
        const isVerdict = code !== undefined && verdictCodes.has(code);
        if (isVerdict && !isWarpError(error)) recorder.refused(op, code);
        else recorder.failed(op, error, again && !isVerdict);
        if (op.outcome !== "unknown") return;
      }
      await sleep(kernel, host, host.random.below(1_000));
    }
  }

  async #cas(by: number, key: string, value: number, thinkMs: number): Promise<void> {
    const found = await this.get(by, key, false);
    if (found === undefined) return;
    const node = this.#parts.node(by);
    await sleep(this.#parts.kernel, node, thinkMs);
    const action: Action = {
      when: [{ key, is: found.value ?? null }],
      success: [{ do: "write", key, value }],
      failure: [],
      took: undefined,
    };
    // Its answer tells that the comparison held, also where it is lost: it changes nothing else.
    const op = this.#parts.recorder.begin({ kind: "cas", node: node.name, keys: [key], action });
    await this.#change(op, by, (opId) =>
      node.warp.set(key, value, { opId, timeoutMs, ifVersion: found.version }),
    );
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
    if (by !== "door") {
      const results = await this.#parts
        .node(by)
        .warp.setMany(entries, { timeoutMs })
        .catch(() => []);
      for (const [at, op] of ops.entries()) {
        const one = results[at];
        if (one?.result !== undefined)
          recorder.end(op, told(op.action, one.result.existed), { version: one.result.version });
        else if (one !== undefined) recorder.failed(op, one.error);
      }
      return;
    }
    const opId = uuidv7(host.time.wall, host.random);
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
    try {
      await node.warp.invalidate("tag" in target ? { tags: [target.tag] } : target, { timeoutMs });
      recorder.end(op, undefined);
    } catch (error) {
      recorder.failed(op, error);
    }
  }
}

function plainly(step: Action["success"][number]): Action {
  return { when: [], success: [step], failure: [], took: undefined };
}

/** The action as its answer tells it. */
function told(action: Action | undefined, existed: boolean): Action | undefined {
  if (action === undefined) return undefined;
  const success = action.success.map((step) => (step.do === "write" ? { ...step, existed } : step));
  return { ...action, success, took: action.when.length === 0 ? undefined : true };
}

/** The revision in a cursor. */
function revisionOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf(".") + 1));
}

function codeOf(error: unknown): string | undefined {
  if (isWarpError(error)) return error.code;
  return (error as { verdict?: { code: string } }).verdict?.code;
}

function sleep(kernel: Kernel, host: Host, ms: number): Promise<void> {
  return new Promise((resolve) => {
    kernel.after(ms, () => host.deliver(resolve));
  });
}

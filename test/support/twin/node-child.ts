/** A Node process that is a node: `connectWarp`, asked over IPC. Its options come as its argument, in JSON. */

import type { MutationResult } from "../../../src/core/types.ts";
import { isWarpError } from "../../../src/errors.ts";
import type { Fallback } from "../../../src/fallback/fallback.ts";
import { upstashFallback } from "../../../src/fallback/upstash/upstash-fallback.ts";
import { nodeHost } from "../../../src/platform/node.ts";
import { connectWarp } from "../../../src/presets/node.ts";
import { UpstashRedis } from "../../../src/upstash/upstash-redis.ts";
import {
  type Ended,
  type Failure,
  failed,
  type NodeCall,
  revisionOf,
  type Seen,
  type TxnStep,
} from "./calls.ts";
import { ChildLocks } from "./child-locks.ts";
import { isLeaseCall, isLockCall } from "./lock-calls.ts";

/** What the process is started with. */
export interface ChildOptions {
  readonly url: string;
  readonly space: string;
  readonly node: string;
  readonly zone: string;
  readonly registrations?: readonly { readonly pattern: string; readonly options: object }[];
  /** An Upstash database, as the way around shards. */
  readonly upstash?: { readonly url: string; readonly token: string };
}

const { url, space, node, zone, registrations, upstash } = JSON.parse(process.argv[2] ?? "") as ChildOptions;
const warp = connectWarp(url, {
  space,
  node,
  zone,
  backoff: { baseMs: 20, capMs: 500 },
  ...(registrations === undefined ? {} : { registrations }),
  ...(upstash === undefined ? {} : { fallbacks: { upstash: aroundBy(upstash) } }),
  // Connections break all the time here.
  onError: () => {},
});

const locks = new ChildLocks(warp);

function aroundBy(address: { readonly url: string; readonly token: string }): (space: string) => Fallback {
  const redis = new UpstashRedis({ ...address, ...nodeHost() });
  return (of) => upstashFallback({ redis, space: of });
}

function seenOf(key: string, found: Awaited<ReturnType<typeof warp.lookup<number>>>): Seen {
  const { value, version, cache, provisional = false } = found;
  return { key, value: value ?? null, version, cache, stale: cache === "stale", provisional };
}

function ended(result: MutationResult): Ended {
  const { version, existed, replayed, cursor, provisional = false } = result;
  return { ok: true, version, existed, replayed, revision: revisionOf(cursor), provisional };
}

function failureOf(error: unknown): Failure {
  return isWarpError(error)
    ? failed(error.code, error.message, error.outcome, error.details)
    : failed("no_warp_error", error instanceof Error ? String(error.stack) : String(error), "unknown");
}

/** The operations of a branch, added one by one: the builder's type can't follow a list. */
function addSteps(builder: ReturnType<typeof warp.txn>, steps: readonly TxnStep[]): void {
  for (const step of steps) {
    if (step.op === "get") builder.get(step.key);
    else if (step.op === "merge") builder.merge(step.key, step.amount);
    else if (step.value === null) builder.delete(step.key);
    else builder.set(step.key, step.value);
  }
}

async function run(call: NodeCall): Promise<object> {
  if (isLockCall(call)) return await locks.lock(call);
  if (isLeaseCall(call)) return await locks.lease(call);
  const timeout = call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs };
  switch (call.do) {
    case "get":
      return { ok: true, seen: seenOf(call.key, await warp.lookup<number>(call.key, timeout)) };
    case "getMany": {
      const found = await warp.lookupMany<number>(call.keys, timeout);
      return { ok: true, seen: [...found].map(([key, lookup]) => seenOf(key, lookup)) };
    }
    case "peek": {
      const seen = call.keys.flatMap((key): Seen[] => {
        const value = warp.peek<number>(key);
        return value === undefined ? [] : [{ key, value, version: -1, cache: "hit", stale: false }];
      });
      return { ok: true, seen };
    }
    case "register":
      await warp.register(call.pattern, call.settings, timeout);
      return { ok: true };
    case "set": {
      const { do: _, key, value, ...options } = call;
      return ended(await warp.set(key, value, options));
    }
    case "delete":
      return ended(await warp.delete(call.key, { ...timeout, opId: call.opId }));
    case "merge":
      return ended(await warp.merge(call.key, call.amount, { ...timeout, opId: call.opId }));
    case "cas": {
      const { key, expected, value, opId } = call;
      return ended(await warp.cas(key, expected ?? undefined, value, { ...timeout, opId }));
    }
    case "txn": {
      const builder = warp.txn();
      for (const { key, is } of call.compare)
        builder.compare(key, is === null ? { exists: false } : { value: is });
      if (call.held !== undefined) builder.compare(call.held.lock, { fence: call.held.fence });
      addSteps(builder, call.success);
      if (call.failure.length > 0) {
        builder.otherwise();
        addSteps(builder, call.failure);
      }
      const { succeeded, version, replayed, cursor, results } = await builder.commit({
        ...timeout,
        opId: call.opId,
      });
      const steps = results as readonly { op: string; value?: number; existed?: boolean }[];
      return {
        ok: true,
        succeeded,
        version,
        replayed,
        revision: revisionOf(cursor),
        results: steps.map(({ op, value, existed }) =>
          op === "get" ? { value: value ?? null } : { existed },
        ),
      };
    }
    case "invalidate": {
      const { keys, prefix, tag, opId } = call;
      const target =
        keys !== undefined ? { keys } : prefix !== undefined ? { prefix } : { tags: [tag ?? ""] };
      await warp.invalidate(target, { ...timeout, opId });
      return { ok: true };
    }
    case "batch": {
      const operations = call.sets.map(({ key, value, opId }) => ({
        op: "set" as const,
        key,
        payload: { bytes: new TextEncoder().encode(String(value)), contentType: "application/json" },
        opId,
      }));
      const results = await warp.batch(operations, timeout);
      return {
        ok: true,
        ended: results.map((result) => {
          if ("error" in result) return failed(result.error.code, result.error.message, result.error.outcome);
          return "result" in result ? ended(result.result) : failed("internal", "a get?", "unknown");
        }),
      };
    }
  }
}

process.on("message", ({ id, call }: { id: number; call: NodeCall }) => {
  run(call)
    .catch(failureOf)
    .then((answer) => process.send?.({ id, answer }));
});
// The test is over, or died.
process.on("disconnect", () => process.exit(0));
process.send?.({ id: 0, answer: { ok: true } });

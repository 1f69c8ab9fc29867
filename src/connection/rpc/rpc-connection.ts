import { type ErrorCode, errorCodes, WarpError, type WarpErrorOptions } from "../../errors.ts";
import type { RpcShardApi, ShardApi } from "../../protocol/shard-api.ts";
import { shardName } from "../../protocol/space.ts";
import type { ShardConnection } from "../shard-connection.ts";
import { type LaneHost, mutationLane, viaLane } from "./rpc-shard.ts";

/** The part of a Durable Object namespace that is needed. Stubs answer the calls of {@link RpcShardApi}. */
export interface ShardNamespace<Id = unknown> {
  idFromName(name: string): Id;
  get(id: Id): RpcShardApi;
}

/** Shards as Durable Objects, called over the platform's RPC. The object of a shard is named `{space}/{shard}`. */
export function rpcConnection<Id>(options: {
  readonly namespace: ShardNamespace<Id>;
  readonly space: string;
  /** Lets mutations that come close together share messages: for an isolate that many requests use. Default: each goes alone. */
  readonly lanes?: LaneHost;
}): ShardConnection {
  const { namespace, space, lanes } = options;
  // An id is a hash of the name, dear to make and good for ever.
  const ids: Id[] = [];
  // A stub that has seen an exception may stay broken, and one belongs to the request that made it: a new one for each call.
  const stub = (index: number): RpcShardApi => {
    ids[index] ??= namespace.idFromName(shardName(space, index));
    return namespace.get(ids[index]);
  };
  const shards: ShardApi[] = [];
  return {
    space,
    shard(index) {
      if (lanes === undefined) return stub(index);
      const known = shards[index];
      if (known !== undefined) return known;
      const lane = mutationLane(() => stub(index), lanes);
      const api = viaLane(() => stub(index), { mutate: (request) => lane.call(request) });
      shards[index] = api;
      return api;
    },
    fault: rpcFault,
    close: async () => {},
  };
}

/** What the platform says on an exception that crossed a stub. */
interface PlatformFacts {
  readonly overloaded?: unknown;
  readonly retryable?: unknown;
  /** The exception was thrown by the object's own code. */
  readonly remote?: unknown;
  readonly message?: unknown;
  /** Own properties cross a stub where the platform serialises errors in full: a shard's own error keeps its code. */
  readonly code?: unknown;
  readonly outcome?: unknown;
}

const knownCodes: ReadonlySet<unknown> = new Set(errorCodes);

/**
 * What an exception from a stub means. The outcome is for a mutation, and `unknown` throughout: the platform marks as overloaded both
 * what it never delivered and an object that it stopped in the middle for its memory or CPU; and after a lost connection it can't
 * tell either.
 */
export function rpcFault(error: unknown): WarpError {
  if (error instanceof WarpError) return error;
  const facts: PlatformFacts = typeof error === "object" && error !== null ? error : {};
  if (knownCodes.has(facts.code) && (facts.outcome === "fail" || facts.outcome === "unknown")) {
    const message = typeof facts.message === "string" ? facts.message : "the shard failed";
    return new WarpError(facts.code as ErrorCode, message, { cause: error, outcome: facts.outcome });
  }
  const options: WarpErrorOptions = { cause: error, outcome: "unknown" };
  if (facts.overloaded === true) {
    return new WarpError("overloaded", "the shard has more to do than it can", {
      ...options,
      retryAfterMs: 1_000,
    });
  }
  if (facts.retryable === true || (typeof facts.message === "string" && passing.test(facts.message))) {
    return new WarpError("unavailable", "the shard can't be reached", options);
  }
  if (facts.remote === true) return new WarpError("internal", "the shard failed", options);
  return new WarpError("unavailable", "the call to the shard broke", options);
}

/** Messages of exceptions that the platform does not always mark: the object went away under the call. */
const passing =
  /Network connection lost|Durable Object reset|object has been reset|storage operation exceeded timeout|disconnected|abort/i;

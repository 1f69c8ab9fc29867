import { WarpError } from "../errors.ts";
import { compareKeys, shardOf } from "../protocol/key.ts";
import type {
  LockCommand,
  LockInfo,
  LockVerdict,
  LockWaitRequest,
  ObserveReply,
  ObserveRequest,
} from "../protocol/lock.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import { withOutcome } from "./attempt.ts";
import { merged } from "./merge-pages.ts";
import { gather, groupByShard } from "./shard-groups.ts";
import type { SpaceClient } from "./space-client.ts";
import { settleShards } from "./space-writes.ts";

/** A page of names in use, over all shards. */
export interface SpaceLockPage {
  readonly locks: readonly LockInfo[];
  /** The next page comes after this name; undefined: there is none. */
  readonly next: string | undefined;
}

/** The locks of a space, each in the shard of its name. Deadlines, repeats and outcomes are those of {@link SpaceClient}. */
export class SpaceLocks {
  readonly #client: SpaceClient;

  constructor(client: SpaceClient) {
    this.#client = client;
  }

  /**
   * Carries out commands; those of one shard in one commit and in their order. The verdicts stand in order. Where all of them only ask (`confirm`) it throws
   * `space_not_found`; else they make the space, as every change does.
   */
  async run(commands: readonly LockCommand[], limits?: CallLimits): Promise<readonly LockVerdict[]> {
    const progress = { acted: false };
    const meets = commands.every(({ kind }) => kind === "confirm") ? "read" : "mutation";
    try {
      return await this.#client.run(meets, limits, async (calls) => {
        const { shards } = calls.space;
        const groups = groupByShard(commands, ({ name }) => shardOf(name, shards), shards);
        const answers = await settleShards(groups, progress, async ({ shard, items }) => {
          const reply = await calls.ask("mutation", shard, (api, scope) =>
            api.lock({ ...scope, commands: items }),
          );
          return reply.verdicts;
        });
        return gather(groups, answers).map(([verdict]) => verdict);
      });
    } catch (error) {
      // One shard's definite no is not the whole call's where another shard has acted.
      throw progress.acted && error instanceof WarpError ? withOutcome(error, "unknown") : error;
    }
  }

  /** Waits at most `waitMs` in a queue. Unless told otherwise the call may take as long, and 10 s more. Throws `space_not_found`. */
  wait(
    place: Pick<LockWaitRequest, "name" | "owner" | "ticket" | "waitMs">,
    limits?: CallLimits,
  ): Promise<LockVerdict> {
    return this.#client.run("read", patient(limits, place.waitMs), async (calls) => {
      const { verdict } = await calls.ask("read", shardOf(place.name, calls.space.shards), (api, scope) =>
        api.waitLock({ ...scope, ...place }),
      );
      return verdict;
    });
  }

  /** Throws `space_not_found`. */
  info(name: string, limits?: CallLimits): Promise<LockInfo> {
    return this.#client.run("read", limits, async (calls) => {
      const { info } = await calls.ask("read", shardOf(name, calls.space.shards), (api, scope) =>
        api.lockInfo({ ...scope, name }),
      );
      return info;
    });
  }

  /** A page of names in use, in order of their bytes; `limit` 1 to 1,000. Throws `space_not_found`. */
  list(
    request: { readonly prefix: string; readonly after: string | undefined; readonly limit: number },
    limits?: CallLimits,
  ): Promise<SpaceLockPage> {
    const { prefix, after, limit } = request;
    return this.#client.run("read", limits, async (calls) => {
      const pages = await calls.askAll("read", (api, scope) =>
        api.listLocks({ ...scope, prefix, limit, ...(after === undefined ? {} : { after }) }),
      );
      const page = merged(
        pages.map(({ locks, more }) => ({ items: locks, more })),
        limit,
        (one, other) => compareKeys(one.name, other.name),
      );
      return { locks: page.items, next: page.more ? page.items.at(-1)?.name : undefined };
    });
  }

  /** Steps of an election; as patient as {@link wait}. Throws `space_not_found`. */
  observe(
    request: Pick<ObserveRequest, "name" | "after" | "epoch" | "waitMs">,
    limits?: CallLimits,
  ): Promise<ObserveReply> {
    return this.#client.run("read", patient(limits, request.waitMs), (calls) =>
      calls.ask("read", shardOf(request.name, calls.space.shards), (api, scope) =>
        api.observe({ ...scope, ...request }),
      ),
    );
  }
}

/** A call that waits on purpose has its usual time beside. */
function patient(limits: CallLimits | undefined, waitMs: number): CallLimits {
  return { timeoutMs: defaultTimeoutMs + waitMs, ...limits };
}

import { WarpError } from "../errors.ts";
import { compareKeys, shardOf } from "../protocol/key.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../protocol/lease.ts";
import { leaseNotFound } from "../protocol/lease-rules.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import { withOutcome } from "./attempt.ts";
import { merged } from "./merge-pages.ts";
import { gather, groupByShard } from "./shard-groups.ts";
import type { SpaceClient } from "./space-client.ts";
import { settleShards } from "./space-writes.ts";

/** A page of something, over all shards. */
export interface SpaceLeasePage<T> {
  readonly items: readonly T[];
  /** The next page comes after this id or key; undefined: there is none. */
  readonly next: string | undefined;
}

/** What a page is asked for with. */
export interface SpaceLeasePageRequest {
  readonly after: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
}

/** The leases of a space, each with its home in the shard of its id. Deadlines, repeats and outcomes are those of {@link SpaceClient}. */
export class SpaceLeases {
  readonly #client: Pick<SpaceClient, "run">;

  constructor(client: Pick<SpaceClient, "run">) {
    this.#client = client;
  }

  /**
   * Carries out commands; those of one shard in one commit. The verdicts stand in order; keys of several shards are one command in each of them. Only a grant
   * makes the space; without one it throws `space_not_found`.
   */
  async run(commands: readonly LeaseCommand[], limits?: CallLimits): Promise<readonly LeaseVerdict[]> {
    const progress = { acted: false };
    const makes = commands.some(({ kind }) => kind === "grant");
    try {
      return await this.#client.run(makes ? "mutation" : "read", limits, async (calls) => {
        const { shards } = calls.space;
        const parts = commands.flatMap((command, place) => split(command, place, shards));
        const groups = groupByShard(parts, ({ shard }) => shard, shards);
        const answers = await settleShards(groups, progress, async ({ shard, items }) => {
          const sent = items.map(({ command }) => command);
          const reply = await calls.ask("mutation", shard, (api, scope) =>
            api.lease({ ...scope, commands: sent }),
          );
          return reply.verdicts;
        });
        const verdicts: LeaseVerdict[][] = commands.map(() => []);
        for (const [at, [verdict]] of gather(groups, answers).entries()) {
          verdicts[parts[at]?.place ?? -1]?.push(verdict);
        }
        return verdicts.map(joined);
      });
    } catch (error) {
      // One shard's definite no is not the whole call's where another shard has acted.
      throw progress.acted && error instanceof WarpError ? withOutcome(error, "unknown") : error;
    }
  }

  /** Undefined: there is no such lease, or it has ended. Throws `space_not_found`. */
  info(id: string, limits?: CallLimits): Promise<LeaseInfo | undefined> {
    return this.#client.run("read", limits, async (calls) => {
      const home = shardOf(id, calls.space.shards);
      const { info } = await calls.ask("read", home, (api, scope) => api.leaseInfo({ ...scope, id }));
      return info ?? undefined;
    });
  }

  /** Live leases in order of their ids. Throws `space_not_found`. */
  list({ after, limit }: SpaceLeasePageRequest, limits?: CallLimits): Promise<SpaceLeasePage<LeaseInfo>> {
    return this.#client.run("read", limits, async (calls) => {
      const pages = await calls.askAll("read", (api, scope) =>
        api.listLeases({ ...scope, limit, ...(after === undefined ? {} : { after }) }),
      );
      const page = merged(
        pages.map(({ leases, more }) => ({ items: leases, more })),
        limit,
        (one, other) => compareKeys(one.id, other.id),
      );
      return { items: page.items, next: page.more ? page.items.at(-1)?.id : undefined };
    });
  }

  /** Keys of a live lease in order of their bytes. Throws `lease_not_found`, `space_not_found`. */
  keys(
    id: string,
    { after, limit }: SpaceLeasePageRequest,
    limits?: CallLimits,
  ): Promise<SpaceLeasePage<string>> {
    return this.#client.run("read", limits, async (calls) => {
      const home = shardOf(id, calls.space.shards);
      const { info } = await calls.ask("read", home, (api, scope) => api.leaseInfo({ ...scope, id }));
      if (info === null) throw leaseNotFound();
      const pages = await Promise.all(
        info.shards.map(async (shard) => {
          const { keys, more } = await calls.ask("read", shard, (api, scope) =>
            api.leaseKeys({ ...scope, id, limit, ...(after === undefined ? {} : { after }) }),
          );
          return { items: keys, more };
        }),
      );
      const page = merged(pages, limit, compareKeys);
      return { items: page.items, next: page.more ? page.items.at(-1) : undefined };
    });
  }
}

/** A part of a command that goes to one shard. */
interface Part {
  readonly command: LeaseCommand;
  readonly shard: number;
  /** Where its command stood in the call. */
  readonly place: number;
}

function split(command: LeaseCommand, place: number, shards: number): Part[] {
  const whole = { command, shard: shardOf(command.id, shards), place };
  // Nothing to attach: refused there, as anything malformed.
  if (!("keys" in command) || command.keys.length === 0) return [whole];
  const groups = groupByShard(command.keys, (key) => shardOf(key, shards), shards);
  return groups.map(({ shard, items }) => ({ command: { ...command, keys: items }, shard, place }));
}

/** One verdict of those that the parts of a command have. Where some were done and others refused, what was done stays: the outcome is unknown. */
function joined(parts: readonly LeaseVerdict[]): LeaseVerdict {
  const [first] = parts;
  if (first === undefined) throw new WarpError("internal", "a command about a lease has no verdict");
  if (parts.length === 1) return first;
  const failed = parts.find(({ outcome }) => outcome === "fail");
  if (failed?.outcome === "fail") {
    const isPartial = parts.some(({ outcome }) => outcome === "ok");
    return isPartial ? { ...failed, error: { ...failed.error, outcome: "unknown" } } : failed;
  }
  const changed = parts.reduce((total, part) => total + (part.outcome === "ok" ? (part.changed ?? 0) : 0), 0);
  const isReplayed = parts.every(({ replayed }) => replayed === true);
  return { outcome: "ok", changed, ...(isReplayed ? { replayed: true as const } : {}) };
}

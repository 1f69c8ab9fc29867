import type { SpaceClient } from "../../connection/space-client.ts";
import { SpaceLeases } from "../../connection/space-leases.ts";
import { WarpError } from "../../errors.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../../protocol/lease.ts";
import { checkLeaseCount, checkLeaseShape } from "../../protocol/lease-rules.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { LeaseKeysPage, LeasePage, Leases } from "../lease.ts";
import { pageCursor, resolvePage } from "../pages.ts";

/** What a page is asked for with. */
type PageOptions = CallLimits & { readonly limit?: number; readonly cursor?: string };

/** The shards' own leases, through a {@link SpaceClient}, which is lent: it stays open. */
export function shardLeases(client: SpaceClient): Leases {
  return new ShardLeases(client);
}

class ShardLeases implements Leases {
  readonly supports = Object.freeze({ durable: true, shared: true });
  readonly #client: SpaceClient;
  readonly #leases: SpaceLeases;
  readonly #offs = new Set<() => void>();
  #closed = false;

  constructor(client: SpaceClient) {
    this.#client = client;
    this.#leases = new SpaceLeases(client);
  }

  async run(commands: readonly LeaseCommand[], options?: CallLimits): Promise<readonly LeaseVerdict[]> {
    this.#begin(options);
    checkLeaseCount(commands.length);
    // What is malformed has no shard that it could be sent to.
    const verdicts = new Map<number, LeaseVerdict>();
    for (const [place, command] of commands.entries()) {
      const error = malformed(command);
      if (error !== undefined) verdicts.set(place, { outcome: "fail", error: error.toData() });
    }
    const sent = commands.filter((_, place) => !verdicts.has(place));
    const answers = sent.length === 0 ? [] : await this.#leases.run(sent, options);
    let next = 0;
    return commands.map((_, place) => {
      const verdict = verdicts.get(place) ?? answers[next++];
      if (verdict === undefined) throw new WarpError("internal", "a command about a lease has no verdict");
      return verdict;
    });
  }

  async info(id: string, options?: CallLimits): Promise<LeaseInfo | undefined> {
    this.#begin(options);
    return await this.#leases.info(id, options);
  }

  async list(options: PageOptions = {}): Promise<LeasePage> {
    this.#begin(options);
    const { items, next } = await this.#leases.list(resolvePage(options), options);
    return { leases: items, cursor: next === undefined ? undefined : pageCursor(next) };
  }

  async keys(id: string, options: PageOptions = {}): Promise<LeaseKeysPage> {
    this.#begin(options);
    const { items, next } = await this.#leases.keys(id, resolvePage(options), options);
    return { keys: items, cursor: next === undefined ? undefined : pageCursor(next) };
  }

  /** Told by pushes, where the connection has them: not of what happens while it is broken. */
  onEnd(listener: (id: string) => void): () => void {
    const off = this.#client.pushes?.listen({
      changes: ({ changes }) => {
        for (const { kind, key } of changes) if (kind === "leaseEnd") listener(key);
      },
      invalidate: () => {},
      gap: () => {},
      lost: () => {},
    });
    if (off === undefined) return () => {};
    this.#offs.add(off);
    return () => {
      this.#offs.delete(off);
      off();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const off of this.#offs) off();
    this.#offs.clear();
  }

  #begin(options: CallLimits | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "these leases are closed");
    checkCallLimits(options);
  }
}

function malformed(command: LeaseCommand): WarpError | undefined {
  try {
    checkLeaseShape(command);
    return undefined;
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
}

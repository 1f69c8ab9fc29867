import type { SpaceClient } from "../../connection/space-client.ts";
import { SpaceLeases } from "../../connection/space-leases.ts";
import { isWarpError, WarpError } from "../../errors.ts";
import { type Change, scopeOpId } from "../../protocol/shard-api.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { maxTimeoutMs } from "../../runtime/limits.ts";
import type { BusHost } from "../bus-end.ts";
import type { LeaseEvent } from "../syncbus.ts";

/** The ends of leases that this node asks for, and which of those that the logs tell of are others'. */
export class OwnLeaseEnds {
  readonly #leases: SpaceLeases;
  readonly #host: Pick<BusHost, "clock" | "random">;
  readonly #subject: string;
  /** Ids never come back, so that one may stay until its entry has come. */
  readonly #own = new Set<string>();

  constructor(
    options: Pick<BusHost, "clock" | "random"> & { readonly client: Pick<SpaceClient, "run"> },
    subject: string,
  ) {
    this.#leases = new SpaceLeases(options.client);
    this.#host = options;
    this.#subject = subject;
  }

  /** Ends a lease; settles when that is carried out, also where it had ended before. */
  async end(id: string): Promise<void> {
    const { clock, random } = this.#host;
    const command = { kind: "revoke", opId: scopeOpId(this.#subject, uuidv7(clock, random)), id } as const;
    const limits = { timeoutMs: maxTimeoutMs };
    this.#own.add(id);
    // Repeated once: the op id makes that safe where the first call's fate is unknown.
    const [verdict] = await this.#leases.run([command], limits).catch((error: unknown) => {
      if (!isWarpError(error, "unavailable")) throw error;
      return this.#leases.run([command], limits);
    });
    if (verdict?.outcome === "ok") return;
    this.#own.delete(id);
    if (verdict !== undefined && verdict.error.code !== "lease_not_found")
      throw WarpError.fromData(verdict.error);
  }

  /** The ends that others asked for, or that came by themselves. */
  others(shard: number, epoch: string, changes: readonly Change[]): LeaseEvent[] {
    return changes.flatMap(({ kind, key, revision }) =>
      kind === "leaseEnd" && !this.#own.delete(key)
        ? [{ lease: key, id: `${epoch}.${shard}.${revision}.lease` }]
        : [],
    );
  }

  clear(): void {
    this.#own.clear();
  }
}

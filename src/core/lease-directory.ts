import type { CallOptions } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import type { LeaseKeysPage, LeasePage, Leases } from "../lease/lease.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../protocol/lease.ts";
import { scopeOpId } from "../protocol/shard-api.ts";
import { uuidv7 } from "../runtime/ids.ts";
import { callOptions } from "./call.ts";
import { checkOpId } from "./draft.ts";
import { OfDriver } from "./drivers.ts";
import type { LeaseListOptions } from "./lock-types.ts";
import type { MutationOptions } from "./mutation-types.ts";
import type { Parts } from "./parts.ts";

/** `warp.leases`: the leases of the space as a whole. Handles come from `warp.lease`. */
export class LeaseDirectory extends OfDriver<Leases> {
  readonly #parts: Parts;

  constructor(parts: Parts, driver: Leases | undefined) {
    super(parts, driver, "leases");
    this.#parts = parts;
  }

  /** Undefined: there is no such lease, or it has ended (rule LS1). */
  async info(id: string, options?: CallOptions): Promise<LeaseInfo | undefined> {
    return await this.driver.info(id, callOptions(options));
  }

  /** A page of live leases, in order of their ids. */
  async list(options: LeaseListOptions = {}): Promise<LeasePage> {
    return await this.driver.list(options);
  }

  /** A page of a lease's keys. */
  async keys(id: string, options: LeaseListOptions = {}): Promise<LeaseKeysPage> {
    return await this.driver.keys(id, options);
  }

  /** Ends a lease, from any node; answered when that is carried out for all its keys (rule LS4). `lease_not_found`: it has ended before. */
  async revoke(id: string, options?: MutationOptions): Promise<void> {
    const [verdict] = await this.#run([{ kind: "revoke", id }], options);
    if (verdict?.outcome === "fail") throw WarpError.fromData(verdict.error);
  }

  /** Keeps up to 128 leases alive in one call: what is left of each in ms, undefined where it has ended. */
  async keepAlive(
    ids: readonly string[],
    options?: MutationOptions,
  ): Promise<ReadonlyMap<string, number | undefined>> {
    const left = new Map<string, number | undefined>();
    if (ids.length === 0) return left;
    const verdicts = await this.#run(
      ids.map((id) => ({ kind: "keepAlive", id })),
      options,
    );
    for (const [at, id] of ids.entries()) {
      const verdict = verdicts[at];
      if (verdict?.outcome === "fail" && verdict.error.code !== "lease_not_found")
        throw WarpError.fromData(verdict.error);
      left.set(id, verdict?.outcome === "ok" ? verdict.remainingMs : undefined);
    }
    return left;
  }

  async #run(
    wishes: readonly { readonly kind: "keepAlive" | "revoke"; readonly id: string }[],
    options: MutationOptions | undefined,
  ): Promise<readonly LeaseVerdict[]> {
    const { driver } = this;
    const { clock, random, subject: own } = this.#parts;
    const { subject = own, opId = uuidv7(clock, random) } = options ?? {};
    checkOpId(opId);
    const commands = wishes.map(
      (wish, at): LeaseCommand => ({
        ...wish,
        opId: scopeOpId(subject, opId, wishes.length === 1 ? undefined : at),
      }),
    );
    return await driver.run(commands, callOptions(options));
  }
}

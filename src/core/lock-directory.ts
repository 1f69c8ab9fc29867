import type { CallOptions } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import type { LockPage, Locks } from "../lock/lock.ts";
import type { LockInfo } from "../protocol/lock.ts";
import { scopeOpId } from "../protocol/shard-api.ts";
import { uuidv7 } from "../runtime/ids.ts";
import { callOptions } from "./call.ts";
import { checkOpId } from "./draft.ts";
import { OfDriver } from "./drivers.ts";
import type { ForceOptions, LockListOptions } from "./lock-types.ts";
import type { Parts } from "./parts.ts";

/** `warp.locks`: the locks and elections of the space as a whole. Handles come from `warp.lock` and `warp.election`. */
export class LockDirectory extends OfDriver<Locks> {
  readonly #parts: Parts;

  constructor(parts: Parts, driver: Locks | undefined) {
    super(parts, driver, "locks");
    this.#parts = parts;
  }

  /** Who holds a name and how many wait for it; of a name that nobody uses: nobody. */
  async info(name: string, options?: CallOptions): Promise<LockInfo> {
    return await this.driver.info(name, callOptions(options));
  }

  /** A page of names in use, in order of their UTF-8 bytes. */
  async list(options: LockListOptions = {}): Promise<LockPage> {
    return await this.driver.list(options);
  }

  /**
   * Ends grants that are another's, for administrators: it is kept who did it, and the holder is told (rule LK12). Gives how many there were. The
   * holder's work goes on until it looks: only writes guarded by the fence are safe from it.
   */
  async force(name: string, options: ForceOptions = {}): Promise<number> {
    const { driver } = this;
    const { clock, random, subject: own } = this.#parts;
    const { fence, subject = own, by = subject, opId = uuidv7(clock, random) } = options;
    checkOpId(opId);
    const command = { kind: "force", opId: scopeOpId(subject, opId), name, by } as const;
    const [verdict] = await driver.run(
      [fence === undefined ? command : { ...command, fence }],
      callOptions(options),
    );
    if (verdict?.outcome === "fail") throw WarpError.fromData(verdict.error);
    if (verdict?.state !== "ended") throw new WarpError("internal", "a forced end was left unanswered");
    return verdict.count;
  }
}

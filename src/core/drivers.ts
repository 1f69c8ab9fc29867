import { WarpError } from "../errors.ts";
import type { Leases } from "../lease/lease.ts";
import type { Locks } from "../lock/lock.ts";
import type { Parts } from "./parts.ts";

/** A driver that a node may have been made without. */
export class OfDriver<D extends Locks | Leases> {
  readonly #parts: Parts;
  readonly #driver: D | undefined;
  readonly #name: string;

  constructor(parts: Parts, driver: D | undefined, name: string) {
    this.#parts = parts;
    this.#driver = driver;
    this.#name = name;
  }

  /** The driver's own calls, for commands with ids, owners and op ids of one's own. Throws `unsupported` where there is none, `warp_closed`. */
  get driver(): D {
    this.#parts.lifetime.check();
    if (this.#driver === undefined)
      throw new WarpError("unsupported", `this Warp was made without ${this.#name}`);
    return this.#driver;
  }
}

/** What `locks` and `leases` of a node are made by. */
export interface Directories {
  locks(parts: Parts, driver: Locks | undefined): OfDriver<Locks>;
  leases(parts: Parts, driver: Leases | undefined): OfDriver<Leases>;
}

/** No more than the drivers. */
export const drivers: Directories = {
  locks: (parts, driver) => new OfDriver(parts, driver, "locks"),
  leases: (parts, driver) => new OfDriver(parts, driver, "leases"),
};

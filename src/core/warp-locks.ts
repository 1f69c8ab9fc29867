import type { Leases } from "../lease/lease.ts";
import type { Locks } from "../lock/lock.ts";
import type { Core } from "./core.ts";
import { LeaseDirectory } from "./lease-directory.ts";
import { LockDirectory } from "./lock-directory.ts";
import { WarpWrites } from "./warp-writes.ts";

/** Locks, elections and leases of a node. */
export class WarpLocks extends WarpWrites {
  /** Locks and elections of the space: who holds what, and forced ends. */
  readonly locks: LockDirectory;
  /** Leases of the space. */
  readonly leases: LeaseDirectory;

  constructor(core: Core, locks: Locks | undefined, leases: Leases | undefined) {
    super(core);
    this.locks = new LockDirectory(core.parts, locks);
    this.leases = new LeaseDirectory(core.parts, leases);
  }
}

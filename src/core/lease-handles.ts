import { grantLease, type Lease, type LeaseOptions } from "../locking/lease-handle.ts";
import { handleHost } from "./handle-hosts.ts";
import type { LeaseDirectory } from "./lease-directory.ts";
import type { Parts } from "./parts.ts";

/** The leases that this node has granted. */
export class LeaseHandles {
  readonly #parts: Parts;
  readonly #directory: LeaseDirectory;
  /** Whether handles keep their leases alive unless they are told otherwise. */
  readonly #autoRenew: boolean;
  readonly #granted = new Map<string, Lease>();
  #deaf: (() => void) | undefined;

  constructor(parts: Parts, directory: LeaseDirectory, autoRenew: boolean) {
    this.#parts = parts;
    this.#directory = directory;
    this.#autoRenew = autoRenew;
    parts.lifetime.onEnd(() => {
      this.#deaf?.();
      for (const lease of [...this.#granted.values()]) lease.told("closed");
    });
  }

  async grant(options: LeaseOptions = {}): Promise<Lease> {
    const { driver } = this.#directory;
    this.#deaf ??= driver.onEnd((id) => this.#granted.get(id)?.told("lost"));
    const { autoRenew = this.#autoRenew } = options;
    const lease = await grantLease(handleHost(this.#parts, driver), { ...options, autoRenew });
    this.#granted.set(lease.id, lease);
    lease.onEnd(() => void this.#granted.delete(lease.id));
    if (this.#parts.lifetime.closed) lease.told("closed");
    return lease;
  }
}

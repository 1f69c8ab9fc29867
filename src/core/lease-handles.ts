import { grantLease, type Lease, type LeaseOptions } from "../locking/lease-handle.ts";
import { handleHost } from "./handle-hosts.ts";
import type { LeaseDirectory } from "./lease-directory.ts";
import type { Parts } from "./parts.ts";

/** Leases that are looked at whenever one comes. */
const looks = 4;

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
    this.#lookAround();
    this.#granted.set(lease.id, lease);
    lease.onEnd(() => void this.#granted.delete(lease.id));
    if (this.#parts.lifetime.closed) lease.told("closed");
    return lease;
  }

  /** Where timers end with a request, what has ended since is found here: a few at a time, those first that were not looked at for longest. */
  #lookAround(): void {
    let left = Math.min(looks, this.#granted.size);
    for (const [id, lease] of this.#granted) {
      if (left-- === 0) return;
      if (lease.remainingMs() === 0) continue;
      this.#granted.delete(id);
      this.#granted.set(id, lease);
    }
  }
}

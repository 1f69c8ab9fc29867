import { WarpError } from "../../errors.ts";
import { compareKeys } from "../../protocol/key.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../../protocol/lease.ts";
import { checkLeaseCount } from "../../protocol/lease-rules.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { LeaseKeysPage, LeasePage, Leases } from "../lease.ts";
import { pageCursor, resolvePage } from "../pages.ts";
import type { MemoryLeaseSpace } from "./memory-lease-space.ts";

/** What a page is asked for with. */
type PageOptions = CallLimits & { readonly limit?: number; readonly cursor?: string };

/** One node's leases inside this process. Several may stand on one space; it is the storage's (`new MemoryStorage({ …, leases: space })`). */
export function memoryLeases(options: { readonly space: MemoryLeaseSpace }): Leases {
  return new MemoryLeases(options.space);
}

class MemoryLeases implements Leases {
  readonly supports = Object.freeze({ durable: false, shared: false });
  readonly #space: MemoryLeaseSpace;
  readonly #listeners = new Set<(id: string) => void>();
  readonly #leave: () => void;
  #closed = false;

  constructor(space: MemoryLeaseSpace) {
    this.#space = space;
    this.#leave = space.use((id) => {
      for (const listener of [...this.#listeners]) listener(id);
    });
  }

  async run(commands: readonly LeaseCommand[], options?: CallLimits): Promise<readonly LeaseVerdict[]> {
    this.#begin(options);
    checkLeaseCount(commands.length);
    return commands.map((command) => this.#space.run(command));
  }

  async info(id: string, options?: CallLimits): Promise<LeaseInfo | undefined> {
    this.#begin(options);
    return this.#space.info(id);
  }

  async list(options: PageOptions = {}): Promise<LeasePage> {
    this.#begin(options);
    const { limit, after = "" } = resolvePage(options);
    const { leases, more } = this.#space.list(after, limit);
    const last = leases.at(-1);
    return { leases, cursor: more && last !== undefined ? pageCursor(last.id) : undefined };
  }

  async keys(id: string, options: PageOptions = {}): Promise<LeaseKeysPage> {
    this.#begin(options);
    const { limit, after } = resolvePage(options);
    const keys = [...this.#space.lease(id).keys]
      .filter((key) => after === undefined || compareKeys(key, after) > 0)
      .sort(compareKeys);
    const page = keys.slice(0, limit);
    const last = page.at(-1);
    return { keys: page, cursor: keys.length > limit && last !== undefined ? pageCursor(last) : undefined };
  }

  onEnd(listener: (id: string) => void): () => void {
    // Each call has its own entry, so that one function may listen twice and each answer takes one away.
    const entry = (id: string): void => listener(id);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#leave();
    this.#listeners.clear();
  }

  #begin(options: CallLimits | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "these leases are closed");
    checkCallLimits(options);
  }
}

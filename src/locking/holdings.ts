import { WarpError } from "../errors.ts";
import { checkLockCommand } from "../protocol/lock-rules.ts";
import { randomHex } from "../runtime/ids.ts";
import { Acquisition, type Wanted } from "./acquisition.ts";
import type { HandleHost, ToldEnd } from "./handle-host.ts";
import { Holding } from "./holding.ts";
import type { ResolvedLock } from "./lock-options.ts";

/** Ends that are remembered; grants that are looked at whenever one comes. */
const maxEnds = 64;
const looks = 4;

/** The grants that one node holds or asks for: tells each of its end, and ends all with the node (rule CO10). */
export class Holdings {
  readonly #host: HandleHost;
  /** By fence: one of several names of different shards may have the same, and one re-entrant grant has several handles. */
  readonly #held = new Map<number, Set<Holding>>();
  readonly #asking = new Set<AbortController>();
  /** The ends that were told last: one may be told before its grant's answer has come to be held. */
  readonly #ends: (ToldEnd & { readonly atMs: number })[] = [];
  #deaf: (() => void) | undefined;
  #closed = false;

  constructor(host: HandleHost) {
    this.#host = host;
  }

  /** Grants that are held now. */
  get size(): number {
    let size = 0;
    for (const holdings of this.#held.values()) size += holdings.size;
    return size;
  }

  /** Acquires: see `Acquisition.run` for what it throws. */
  async acquire(name: string, options: ResolvedLock): Promise<Holding> {
    const { as, ttlMs, waitMs, permits, take, delayMs, value, endsWithSession, timeoutMs } = options;
    const owner = options.owner ?? randomHex(this.#host.random, 12);
    const wanted: Wanted = {
      name,
      owner,
      as,
      ttlMs,
      ...(permits === undefined ? {} : { permits }),
      ...(take === undefined ? {} : { take }),
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(value === undefined ? {} : { value }),
      ...(endsWithSession === true ? { endsWithSession } : {}),
    };
    const wrong = checkLockCommand({ ...wanted, kind: "acquire", opId: this.#host.opId() });
    if (wrong !== undefined) throw wrong;
    if (this.#closed) throw closed();
    this.#listen();
    const asking = new AbortController();
    const { signal } = options;
    const onAbort = (): void => asking.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#asking.add(asking);
    try {
      const limits = { waitMs, timeoutMs, signal: asking.signal };
      const grant = await new Acquisition(this.#host, wanted, limits).run();
      const { autoRenew, maxLifeMs } = options;
      const holding = new Holding(this.#host, grant, { name, owner, ttlMs, autoRenew, maxLifeMs, kind: as });
      this.#keep(holding, grant.sentAtMs);
      return holding;
    } finally {
      this.#asking.delete(asking);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Ends what is under way with `warp_closed` and all that is held with a signal; nothing is released: work may still be going on under it. */
  close(): void {
    this.#closed = true;
    this.#deaf?.();
    for (const asking of this.#asking) asking.abort(closed());
    for (const holdings of [...this.#held.values()]) {
      for (const { term } of [...holdings]) term.lose("closed");
    }
  }

  #keep(holding: Holding, sentAtMs: number): void {
    this.#lookAround();
    const { fence, term } = holding;
    const same = this.#held.get(fence) ?? new Set();
    this.#held.set(fence, same.add(holding));
    term.onEnd(() => {
      same.delete(holding);
      if (same.size === 0 && this.#held.get(fence) === same) this.#held.delete(fence);
    });
    // What ended before it was asked for was of a life of the space whose fences began anew.
    const isItsEnd = (one: ToldEnd): boolean => one.fence === fence && one.name === holding.name;
    const end = this.#ends.find((one) => isItsEnd(one) && one.atMs >= sentAtMs);
    if (end !== undefined) holding.told(end.reason);
    if (this.#closed) term.lose("closed");
  }

  /** Where timers end with a request, what was lost since is found here: a few at a time, those first that were not looked at for longest. */
  #lookAround(): void {
    let left = Math.min(looks, this.#held.size);
    for (const [fence, holdings] of this.#held) {
      if (left-- === 0) return;
      for (const { term } of [...holdings]) term.remainingMs();
      if (holdings.size === 0) continue;
      this.#held.delete(fence);
      this.#held.set(fence, holdings);
    }
  }

  /** Ends are listened for from the first acquisition on. */
  #listen(): void {
    this.#deaf ??= this.#host.calls.onEnd?.((ended) => this.#told(ended));
  }

  #told(ended: ToldEnd): void {
    const { name, fence, reason } = ended;
    this.#ends.push({ ...ended, atMs: this.#host.elapsed.now() });
    if (this.#ends.length > maxEnds) this.#ends.shift();
    for (const holding of [...(this.#held.get(fence) ?? [])]) {
      if (holding.name === name) holding.told(reason);
    }
  }
}

function closed(): WarpError {
  return new WarpError("warp_closed", "this Warp is closed");
}

import { WarpError } from "../../errors.ts";
import type { AroundCalls } from "../../protocol/around-calls.ts";
import type { Pushes, PushListener } from "../../protocol/pushes.ts";
import type { ShardApi } from "../../protocol/shard-api.ts";
import type { ShardConnection } from "../shard-connection.ts";
import type { Watching } from "../watching.ts";
import { type ResolvedSocketOptions, resolveSocketOptions, type SocketConnectionOptions } from "./options.ts";
import { ShardLink } from "./shard-link.ts";
import { socketShard } from "./socket-shard.ts";

/**
 * Shards over `warp.v1`, one socket for each, opened when it is first used, kept while it is used and connected again with full jitter
 * when it breaks. A mutation whose socket breaks under it is `unavailable` with outcome `unknown`; what could not be sent is a definite `fail`. Throws what
 * is wrong with the options.
 */
export function socketConnection(
  options: SocketConnectionOptions,
): ShardConnection & { readonly pushes: Pushes; readonly watching: Watching } {
  return new SocketConnection(resolveSocketOptions(options));
}

class SocketConnection implements ShardConnection {
  readonly space: string;
  readonly pushes: Pushes;
  readonly watching: Watching;
  readonly around: AroundCalls | undefined;
  readonly #options: ResolvedSocketOptions;
  readonly #links = new Map<number, { readonly link: ShardLink; readonly api: ShardApi }>();
  readonly #listeners = new Set<PushListener>();
  #tenures = 0;
  #closed = false;

  constructor(options: ResolvedSocketOptions) {
    this.#options = options;
    this.space = options.space;
    this.around = options.around;
    this.pushes = {
      listen: (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
      servesUntilMs: (shard, tenure) => this.#servesUntilMs(shard, tenure),
    };
    this.watching = {
      watch: (shard, filter, from, listener) => this.#at(shard).link.watches.open(filter, from, listener),
    };
  }

  shard(index: number): ShardApi {
    return this.#at(index).api;
  }

  async ready(index: number): Promise<void> {
    await this.#at(index).link.ready();
  }

  fault(error: unknown): WarpError {
    return WarpError.from(error, "internal", "the call to the shard broke", { outcome: "unknown" });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { link } of this.#links.values()) link.close();
    this.#listeners.clear();
  }

  #at(index: number): { readonly link: ShardLink; readonly api: ShardApi } {
    const known = this.#links.get(index);
    if (known !== undefined) return known;
    if (this.#closed) throw new WarpError("warp_closed", "this connection is closed");
    const link = new ShardLink(index, this.#options, this.#listeners, () => ++this.#tenures);
    const made = { link, api: socketShard(link) };
    this.#links.set(index, made);
    return made;
  }

  #servesUntilMs(shard: number, tenure: number): number {
    const leftMs = this.#links.get(shard)?.link.leaseLeftMs(tenure) ?? Number.NEGATIVE_INFINITY;
    // What is left is measured by elapsed time: the node's clock may have been set since the grant.
    return leftMs > 0 ? this.#options.clock.now() + leftMs : Number.NEGATIVE_INFINITY;
  }
}

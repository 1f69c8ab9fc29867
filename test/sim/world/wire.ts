import { beatFrame } from "../../../src/protocol/wire/frames.ts";
import type { Socket, SocketEvents, SocketFactory } from "../../../src/runtime/socket.ts";
import type { Kernel } from "./kernel.ts";
import type { Link } from "./links.ts";
import type { ShardHost } from "./shard-host.ts";
import type { Host } from "./sim-node.ts";
import type { WireWatch } from "./wire-watch.ts";

/** One direction of a socket: messages arrive in order; while the link is cut they wait. */
class Channel {
  readonly #kernel: Kernel;
  readonly #link: Link;
  readonly #direction: "there" | "back";
  readonly #queue: (() => void)[] = [];
  #lastMs = 0;
  #dead = false;

  constructor(kernel: Kernel, link: Link, direction: "there" | "back") {
    this.#kernel = kernel;
    this.#link = link;
    this.#direction = direction;
  }

  push(arrive: () => void): void {
    if (this.#dead) return;
    this.#queue.push(arrive);
    this.#lastMs = Math.max(this.#lastMs, this.#kernel.nowMs + this.#link.delayMs());
    this.#kernel.at(this.#lastMs, () => this.#pump());
  }

  /** Nothing arrives any more. */
  end(): void {
    this.#dead = true;
  }

  #pump(): void {
    if (this.#dead) return;
    if (!this.#link.isUp(this.#direction)) {
      this.#kernel.at(this.#link.upAtMs(this.#direction) + 1, () => this.#pump());
      return;
    }
    this.#queue.shift()?.();
  }
}

/** A socket between a node and a shard's object. It outlives instances that hibernate. */
export class Wire {
  readonly #kernel: Kernel;
  readonly #link: Link;
  readonly #node: Host;
  readonly #host: ShardHost;
  readonly #events: SocketEvents;
  readonly #up: Channel;
  readonly #down: Channel;
  readonly #watch: WireWatch;
  #nodeKnows = false;
  #shardKnows = false;
  /** What the platform keeps with the shard's end. */
  attachment: unknown;
  lastBeatMs: number | undefined;

  constructor(
    kernel: Kernel,
    link: Link,
    node: Host,
    host: ShardHost,
    events: SocketEvents,
    watch: WireWatch,
  ) {
    this.#kernel = kernel;
    this.#link = link;
    this.#node = node;
    this.#host = host;
    this.#events = events;
    this.#watch = watch;
    this.#up = new Channel(kernel, link, "there");
    this.#down = new Channel(kernel, link, "back");
    this.#up.push(() => {
      if (!this.#host.accept(this)) this.break("node");
    });
  }

  get node(): string {
    return this.#node.name;
  }

  /** The shard has taken it. */
  opened(): void {
    this.#down.push(() => this.#node.deliver(() => this.#tellNode(() => this.#events.opened())));
  }

  fromNode(data: string): void {
    if (this.#nodeKnows) return;
    this.#watch.sent(data);
    this.#up.push(() => this.#host.message(this, data));
  }

  fromShard(data: string): void {
    if (this.#shardKnows) return;
    this.#watch.received(data);
    this.#down.push(() => this.#node.deliver(() => this.#tellNode(() => this.#events.message(data))));
  }

  /** The platform's own answer to a beat. */
  beat(nowMs: number): void {
    this.lastBeatMs = nowMs;
    this.fromShard(beatFrame);
  }

  closeFromNode(): void {
    if (this.#nodeKnows) return;
    this.#nodeKnows = true;
    this.#up.push(() => this.#endAtShard());
  }

  closeFromShard(code: number, reason: string): void {
    if (this.#shardKnows) return;
    this.#shardKnows = true;
    this.#host.forget(this);
    this.#down.push(() => this.#node.deliver(() => this.#endAtNode(code, reason)));
  }

  /** The connection is lost with all that is on its way. Who is not named learns of it later, by the platform or by silence. */
  break(first: "node" | "shard" | "both"): void {
    this.#up.end();
    this.#down.end();
    const soon = (): number => this.#link.below(20);
    const late = (): number => this.#link.below(4_000);
    this.#kernel.after(first === "shard" ? late() : soon(), () =>
      this.#node.deliver(() => this.#endAtNode(1006, "")),
    );
    this.#kernel.after(first === "node" ? late() : soon(), () => this.#endAtShard());
  }

  /** Nobody tells the node anything after it was told the end. */
  #tellNode(tell: () => void): void {
    if (!this.#nodeKnows) tell();
  }

  #endAtNode(code: number, reason: string): void {
    if (this.#nodeKnows) return;
    this.#nodeKnows = true;
    this.#events.closed(code, reason);
  }

  #endAtShard(): void {
    if (this.#shardKnows) return;
    this.#shardKnows = true;
    this.#host.closed(this);
  }
}

/** Opens sockets from one node to the shards. `register` is told of each. */
export function wires(
  kernel: Kernel,
  node: Host,
  hosts: readonly ShardHost[],
  linkTo: (shard: number) => Link,
  watch: () => WireWatch,
  register: (wire: Wire, shard: number) => void,
): SocketFactory {
  return {
    open(url, _protocols, events): Socket {
      const shard = Number(/shard=(\d+)/.exec(url)?.[1] ?? 0);
      const host = hosts[shard];
      if (host === undefined) throw new Error(`there is no shard ${shard}`);
      const wire = new Wire(kernel, linkTo(shard), node, host, events, watch());
      register(wire, shard);
      return {
        send: (data) => wire.fromNode(String(data)),
        close: () => wire.closeFromNode(),
        bufferedBytes: 0,
      };
    },
  };
}

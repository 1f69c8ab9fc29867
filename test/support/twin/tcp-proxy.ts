import type { AddressInfo } from "node:net";
import { createServer, connect as dial, type Server, type Socket } from "node:net";

/** `up`: from the one who connects to the target; `down`: back. */
export type Direction = "up" | "down";

interface Pair {
  readonly sockets: readonly [Socket, Socket];
  /** What waits in each direction; null at its end: the side has ended. */
  readonly waiting: Readonly<Record<Direction, (Buffer | null)[]>>;
}

/**
 * A network between one node and the server: it can be cut (connections broken), refuse new ones, or hold back what goes in one or both
 * directions, as a partition does, where neither side learns of it.
 */
export class TcpProxy {
  readonly #target: () => number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #held = { up: false, down: false };
  #refuses = false;

  private constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Listens on a free port of this machine; `target` is asked for the server's port at each connection. */
  static async start(target: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((done) => proxy.#server.listen(0, "127.0.0.1", done));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Open connections. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Breaks all connections; with `refusing` new ones too, until {@link heal}. */
  cut(options: { readonly refusing?: boolean } = {}): void {
    this.#refuses = options.refusing ?? this.#refuses;
    for (const { sockets } of this.#pairs) for (const socket of sockets) socket.resetAndDestroy();
  }

  /** Lets nothing through from now on, without a word to either side. */
  hold(...directions: readonly Direction[]): void {
    for (const direction of directions.length === 0 ? (["up", "down"] as const) : directions)
      this.#held[direction] = true;
  }

  /** Lets everything through again, what was held back first. */
  heal(): void {
    this.#refuses = false;
    for (const direction of ["up", "down"] as const) {
      this.#held[direction] = false;
      for (const pair of this.#pairs) {
        for (const chunk of pair.waiting[direction].splice(0)) pass(pair, direction, chunk);
      }
    }
  }

  async stop(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    this.cut({ refusing: true });
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = dial(this.#target(), "127.0.0.1");
    const pair: Pair = { sockets: [client, server], waiting: { up: [], down: [] } };
    this.#pairs.add(pair);
    for (const [from, direction] of [
      [client, "up"],
      [server, "down"],
    ] as const) {
      from.setNoDelay(true);
      const give = (chunk: Buffer | null): void => {
        const waiting = pair.waiting[direction];
        if (this.#held[direction] || waiting.length > 0) waiting.push(chunk);
        else pass(pair, direction, chunk);
      };
      from.on("data", give);
      from.on("end", () => give(null));
      from.on("error", () => give(null));
      from.on("close", () => {
        give(null);
        if (pair.sockets.every((socket) => socket.destroyed)) this.#pairs.delete(pair);
      });
    }
  }
}

function pass({ sockets: [client, server] }: Pair, direction: Direction, chunk: Buffer | null): void {
  const to = direction === "up" ? server : client;
  if (chunk !== null) {
    if (to.writable) to.write(chunk);
  } else if (!to.destroyed) {
    // Neither end needs half a connection.
    if (to.connecting) to.destroy();
    else to.end(() => to.destroy());
  }
}

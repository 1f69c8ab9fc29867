import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/**
 * A way to the deployment that can be cut for real: Chromium's own "offline" leaves open WebSockets alone. It counts the WebSockets that go through it.
 */
export class Wire {
  readonly #server = createServer((socket) => this.#accept(socket));
  #target: URL;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #webSockets = new Set<Socket>();
  #isCut = false;
  #opened = 0;

  constructor(target: string) {
    this.#target = new URL(target);
  }

  static async to(target: string): Promise<Wire> {
    const wire = new Wire(target);
    await new Promise<void>((done) => wire.#server.listen(0, "127.0.0.1", done));
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** WebSockets that stand now. */
  get standing(): number {
    return this.#webSockets.size;
  }

  /** WebSockets that were ever opened. */
  get opened(): number {
    return this.#opened;
  }

  /** From now on nothing goes through. */
  cut(): void {
    this.#isCut = true;
    this.drop();
  }

  /** Breaks what stands; new connections go through. */
  drop(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Lets new connections through, to another place if told so. */
  heal(target = this.#target.href): void {
    this.#target = new URL(target);
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.#server.close(closed));
  }

  #accept(near: Socket): void {
    near.on("error", () => undefined);
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect(Number(this.#target.port), this.#target.hostname);
    far.on("error", () => undefined);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    near.on("close", () => {
      far.destroy();
      this.#pairs.delete(pair);
      this.#webSockets.delete(near);
    });
    far.on("close", () => near.destroy());
    near.on("data", (chunk: Buffer) => {
      if (
        !this.#webSockets.has(near) &&
        /^GET [^\r]*\r\n[\s\S]*upgrade: websocket/i.test(chunk.toString("latin1"))
      ) {
        this.#webSockets.add(near);
        this.#opened++;
      }
      far.write(chunk);
    });
    far.on("data", (chunk: Buffer) => near.write(chunk));
  }
}

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

/** A WebSocket on a bare TCP socket, which can stop reading: no client of a library does that. */
export class DeafSocket {
  /** The texts that it has heard, as objects. */
  readonly frames: { readonly t: string; readonly [field: string]: unknown }[] = [];
  /** What all texts had. */
  bytes = 0;
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  /** Told of each text. */
  onText: (text: string) => void = () => {};
  hasEnded = false;
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #isOpen = false;
  #parts: Buffer[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => {
      this.hasEnded = true;
    });
    socket.on("error", () => {});
  }

  /** Opens `path` of a server on this machine. */
  static async open(url: string, path: string, protocols: readonly string[]): Promise<DeafSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const deaf = new DeafSocket(socket);
    const headers = [
      `GET ${path} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      `Sec-WebSocket-Protocol: ${protocols.join(", ")}`,
    ];
    socket.write(`${headers.join("\r\n")}\r\n\r\n`);
    await deaf.#until(() => deaf.#isOpen);
    return deaf;
  }

  say(frame: object): void {
    const payload = Buffer.from(JSON.stringify(frame));
    const mask = randomBytes(4);
    const head =
      payload.length < 126
        ? Buffer.from([0x81, 0x80 | payload.length])
        : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255]);
    const masked = payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0));
    this.#socket.write(Buffer.concat([head, mask, masked]));
  }

  /** Reads nothing from now on. */
  stop(): void {
    this.#socket.pause();
  }

  /** Reads what has come meanwhile. */
  goOn(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #until(fine: () => boolean): Promise<void> {
    for (const until = Date.now() + 10_000; !fine(); ) {
      if (Date.now() > until || this.hasEnded) throw new Error(`it did not open: ${this.#buffer}`);
      await new Promise((done) => setTimeout(done, 5));
    }
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    if (!this.#isOpen) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end < 0 || !this.#buffer.subarray(0, 12).toString().endsWith("101")) return;
      this.#buffer = this.#buffer.subarray(end + 4);
      this.#isOpen = true;
    }
    while (this.#frame()) {}
  }

  /** Takes one frame from what has come; false: it is not whole yet. */
  #frame(): boolean {
    const all = this.#buffer;
    const [first, second] = all;
    if (first === undefined || second === undefined) return false;
    const short = second & 127;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (all.length < head) return false;
    const length =
      short === 126 ? all.readUInt16BE(2) : short === 127 ? Number(all.readBigUInt64BE(2)) : short;
    if (all.length < head + length) return false;
    const payload = all.subarray(head, head + length);
    this.#buffer = all.subarray(head + length);
    const opcode = first & 15;
    if (opcode === 8) {
      this.closedWith = { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
    } else if (opcode < 2) {
      this.#parts.push(payload);
      if ((first & 0x80) !== 0) {
        const text = Buffer.concat(this.#parts.splice(0)).toString();
        this.bytes += text.length;
        this.frames.push(JSON.parse(text));
        this.onText(text);
      }
    }
    return true;
  }
}

import { connect, type Socket } from "node:net";

/** An answer, its body as Latin-1. */
export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * One keep-alive connection that asks and waits, over the bare socket: it takes a few microseconds a call, where `fetch` takes
 * hundreds, so that what is measured is the server.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #buffer = "";
  #waiting: { resolve(answer: RawAnswer): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => this.#take(String(chunk)));
    const fail = (error: Error) => this.#waiting?.reject(error);
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the server closed the connection")));
  }

  static async open(url: string): Promise<RawConnection> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((ready, failed) => socket.once("connect", ready).once("error", failed));
    return new RawConnection(socket, host);
  }

  /** Sends a PUT and gives the answer's status once all of the answer has come. `body` is ASCII. */
  async put(path: string, body: string): Promise<number> {
    return (await this.request("PUT", path, body, "text/plain")).status;
  }

  /** Sends a request and gives the answer once all of it has come. `body` is ASCII. */
  request(method: string, path: string, body = "", contentType = "application/json"): Promise<RawAnswer> {
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#buffer += chunk;
    const head = this.#buffer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = /\r\nContent-Length: (\d+)/i.exec(this.#buffer.slice(0, head))?.[1];
    if (length === undefined) {
      this.#waiting?.reject(new Error("an answer without Content-Length"));
      return;
    }
    const end = head + 4 + Number(length);
    if (this.#buffer.length < end) return;
    const answer = { status: Number(this.#buffer.slice(9, 12)), body: this.#buffer.slice(head + 4, end) };
    this.#buffer = this.#buffer.slice(end);
    this.#waiting?.resolve(answer);
  }
}

import { connect, type Socket } from "node:net";

/**
 * One keep-alive connection that asks and waits, over the bare socket: it takes a few microseconds a call, where `fetch` takes
 * hundreds, so that what is measured is the server.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #buffer = "";
  #waiting: { resolve(status: number): void; reject(error: Error): void } | undefined;

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
  put(path: string, body: string): Promise<number> {
    this.#socket.write(
      `PUT ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
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
    const status = Number(this.#buffer.slice(9, 12));
    this.#buffer = this.#buffer.slice(end);
    this.#waiting?.resolve(status);
  }
}

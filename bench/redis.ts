import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A redis-server of this machine on a free port, that keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  readonly version: string;
  stop(): Promise<void>;
}

/** Starts one; undefined: there is none on this machine. */
export async function startRedis(): Promise<RedisServer | undefined> {
  const told = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (told.status !== 0) return undefined;
  const port = await freePort();
  const flags = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child = spawn("redis-server", flags, { stdio: "ignore" });
  const exit = new Promise<void>((done) => child.on("exit", () => done()));
  await answering(port, child);
  return {
    port,
    version: /v=([\d.]+)/.exec(told.stdout)?.[1] ?? "?",
    stop: async () => {
      child.kill("SIGTERM");
      await exit;
    },
  };
}

/** One connection, one command at a time. Replies: numbers, strings, and null. */
export class RedisConnection {
  readonly #socket: Socket;
  #buffer = "";
  #waiting: { resolve(reply: string | number | null): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => this.#take(String(chunk)));
    const fail = (error: Error) => this.#waiting?.reject(error);
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("redis closed the connection")));
  }

  static async open(port: number): Promise<RedisConnection> {
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((ready, failed) => socket.once("connect", ready).once("error", failed));
    return new RedisConnection(socket);
  }

  command(...words: readonly string[]): Promise<string | number | null> {
    const text = words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
    this.#socket.write(`*${words.length}\r\n${text}`);
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
    const end = this.#buffer.indexOf("\r\n");
    if (end < 0) return;
    const rest = this.#buffer.slice(1, end);
    const kind = this.#buffer[0];
    if (kind !== "$" || rest === "-1") {
      this.#buffer = this.#buffer.slice(end + 2);
      if (kind === "-") this.#waiting?.reject(new Error(rest));
      else this.#waiting?.resolve(kind === ":" ? Number(rest) : kind === "$" ? null : rest);
      return;
    }
    const whole = end + 2 + Number(rest) + 2;
    if (this.#buffer.length < whole) return;
    const text = this.#buffer.slice(end + 2, whole - 2);
    this.#buffer = this.#buffer.slice(whole);
    this.#waiting?.resolve(text);
  }
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error("redis-server did not start");
    try {
      const connection = await RedisConnection.open(port);
      connection.close();
      return;
    } catch {
      await sleep(20);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RespConnection } from "./resp.ts";

/** Why there are no tests against Redis on this machine; undefined: there are. */
export function missingRedis(): string | undefined {
  const { error, status } = spawnSync("redis-server", ["--version"], { stdio: "ignore" });
  return error === undefined && status === 0
    ? undefined
    : "redis-server is not installed (Debian: apt-get install redis-server)";
}

/** A real redis-server on a free port and in a folder of its own. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #durable: boolean;
  #process: ChildProcess | undefined;

  private constructor(port: number, durable: boolean) {
    this.port = port;
    this.#durable = durable;
    this.#folder = mkdtempSync(join(tmpdir(), "warp-redis-"));
  }

  /** `durable`: every acknowledged write survives a kill. */
  static async start(durable: boolean): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), durable);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const log = this.#durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
    const settings = ["--port", `${this.port}`, "--bind", "127.0.0.1", "--dir", this.#folder];
    const others = ["--save", "", "--databases", "4096", "--loglevel", "warning", ...log];
    this.#process = spawn("redis-server", [...settings, ...others], { stdio: "ignore" });
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await answers(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, 10 + attempt));
    }
    throw new Error(`redis-server doesn't answer on port ${this.port}`);
  }

  /** As a broken machine does, without a farewell. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** Whether a server has loaded its data and answers. */
async function answers(port: number): Promise<boolean> {
  const connection = new RespConnection(port, () => undefined);
  try {
    const [reply] = await connection.send([["PING"]]);
    return reply instanceof Buffer && reply.toString() === "PONG";
  } catch {
    return false;
  } finally {
    connection.close();
  }
}

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RespConnection } from "./resp.ts";

/** Why Redis can't be run on this machine; undefined: it can. */
export function missingRedis(): string | undefined {
  const { error, status } = spawnSync("redis-server", ["--version"], { stdio: "ignore" });
  return error === undefined && status === 0
    ? undefined
    : "redis-server is not installed (Debian: apt-get install redis-server)";
}

/** How a server keeps what it is given. */
export interface RedisServerOptions {
  /** Every acknowledged write survives a kill. */
  readonly durable: boolean;
  /** Where its files are; they stay when it ends. Default: a folder that goes with it. */
  readonly folder?: string;
}

/** A real redis-server in a folder of its own. It listens on a socket there, and on no port: another process could take that while it starts, or is down. */
export class RedisServer {
  /** Path of its socket. */
  readonly path: string;
  /** Of its socket: a path of a socket must be short. */
  readonly #folder: string;
  /** Of its files. */
  readonly #data: string;
  readonly #durable: boolean;
  #process: ChildProcess | undefined;
  /** What it has carried out since {@link monitor}, in its own words: scripts' commands, too. */
  readonly monitored: string[] = [];

  private constructor({ durable, folder }: RedisServerOptions) {
    this.#durable = durable;
    this.#folder = mkdtempSync(join(tmpdir(), "warp-redis-"));
    this.#data = folder ?? this.#folder;
    mkdirSync(this.#data, { recursive: true });
    this.path = join(this.#folder, "redis.sock");
  }

  static async start(options: RedisServerOptions): Promise<RedisServer> {
    const server = new RedisServer(options);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const log = this.#durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
    const settings = ["--port", "0", "--unixsocket", this.path, "--dir", this.#data];
    const others = ["--save", "", "--databases", "4096", "--loglevel", "warning", ...log];
    this.#process = spawn("redis-server", [...settings, ...others], { stdio: "ignore" });
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await answers(this.path)) return;
      await new Promise((resolve) => setTimeout(resolve, 10 + attempt));
    }
    throw new Error(`redis-server doesn't answer at ${this.path}`);
  }

  /** Notes each command from now on, until the server ends. */
  async monitor(): Promise<void> {
    const connection = new RespConnection(
      this.path,
      () => undefined,
      (line) => this.monitored.push(String(line)),
    );
    await connection.send([["MONITOR"]]);
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

  /** Ends it, and removes its files where nobody gave it a folder for them. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Whether a server has loaded its data and answers. */
async function answers(path: string): Promise<boolean> {
  const connection = new RespConnection(path, () => undefined);
  try {
    const [reply] = await connection.send([["PING"]]);
    return reply instanceof Buffer && reply.toString() === "PONG";
  } catch {
    return false;
  } finally {
    connection.close();
  }
}

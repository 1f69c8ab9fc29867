import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { socketName } from "./config-capnp.ts";

/** How to start workerd. */
export interface WorkerdStart {
  readonly config: string;
  /** Folders of the configuration's disk services, by name. */
  readonly directories: Readonly<Record<string, string>>;
  /** Socket addresses in the order of the isolates. */
  readonly addresses: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A workerd that listens. */
export interface RunningWorkerd {
  readonly pid: number;
  /** The ports it listens on, in the order of the isolates. */
  readonly ports: readonly number[];
  readonly ended: Promise<Ended>;
  /** Ends it, by force after `graceMs` (default 3,000), and waits until it is gone. What it acknowledged is on disk either way. */
  stop(graceMs?: number): Promise<void>;
}

/** workerd ended before it listened. */
export class StartFailed extends Error {
  override readonly name = "StartFailed";
}

/** The workerd that wrangler is pinned to. */
export function workerdPath(): string {
  const own = createRequire(import.meta.url);
  // wrangler's own workerd, whichever place the package manager gave it.
  const wrangler = createRequire(own.resolve("wrangler/package.json"));
  return join(dirname(wrangler.resolve("workerd/package.json")), "bin", "workerd");
}

/**
 * Starts workerd and waits until every socket listens. It lives in our process group and dies with us, even when we are killed.
 * Throws {@link StartFailed} with what it said.
 */
export async function startWorkerd(start: WorkerdStart): Promise<RunningWorkerd> {
  const child = spawn(
    workerdPath(),
    [
      "serve",
      start.config,
      "--experimental",
      "--control-fd=3",
      ...Object.entries(start.directories).map(([name, path]) => `--directory-path=${name}=${path}`),
      ...start.addresses.map((address, index) => `--socket-addr=${socketName(index)}=${address}`),
    ],
    { env: start.env, stdio: ["ignore", "inherit", "pipe", "pipe"] },
  );
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    if (said.length < 10_000) said += chunk;
    process.stderr.write(chunk);
  });
  const ports = await Promise.race([
    listening(child.stdio[3] as Readable, start.addresses.length),
    ended.then(() => undefined),
  ]);
  if (ports === undefined) throw new StartFailed(explain(said, start.addresses));
  const pid = child.pid ?? 0;
  const dead = endWithUs(pid);
  void ended.then(() => dead.kill("SIGKILL"));
  return { pid, ports, ended, stop: (graceMs = 3_000) => stop(child, ended, graceMs) };
}

/** The ports of all `count` sockets, as workerd's control channel tells them: one JSON object a line. */
function listening(control: Readable, count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  let known = 0;
  let rest = "";
  return new Promise((resolve) => {
    control.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const message = JSON.parse(line) as { event: string; socket?: string; port?: number };
        const index = Number(/^http-(\d+)$/.exec(message.socket ?? "")?.[1] ?? "-1");
        if (message.event !== "listen" || message.port === undefined || index < 0) continue;
        ports[index] = message.port;
        known += 1;
      }
      if (known === count) resolve(ports);
    });
  });
}

function explain(said: string, addresses: readonly string[]): string {
  const taken = /Socket "http-(\d+)".*Address already in use/i.exec(said);
  if (taken === null) return "workerd did not start; what it said stands above";
  return `the port is in use: ${addresses[Number(taken[1])]}`;
}

/**
 * A process that kills `pid` when we are gone: it waits for the end of a pipe whose other end only we hold. workerd has nothing of
 * the kind.
 */
function endWithUs(pid: number): ChildProcess {
  const script = 'trap "" INT TERM HUP; read -r _; kill -9 "$1"';
  const guard = spawn("/bin/sh", ["-c", script, "warp-guard", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.on("error", () => undefined); // Without a shell there is no guard; everything else works.
  guard.unref();
  return guard;
}

async function stop(child: ChildProcess, ended: Promise<Ended>, graceMs: number): Promise<void> {
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(force);
}

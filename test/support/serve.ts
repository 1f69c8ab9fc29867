import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(import.meta.dirname, "../..");

/** A script of ours that was started, with all that it said. */
export interface Running {
  readonly child: ChildProcess;
  /** Stdout and stderr so far. */
  output(): string;
  /** How it ended; null for an end by signal. */
  readonly exit: Promise<number | null>;
}

/** Starts a node script of the project with a clean environment plus `env`. */
export function startScript(
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Running {
  return startCommand(process.execPath, [join(root, script), ...args], env);
}

/** Starts a command in the project's folder with a clean environment plus `env`. */
export function startCommand(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Running {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(WARP_|npm_|VITEST|NODE_OPTIONS)/.test(name),
  );
  const child = spawn(file, args, {
    cwd: root,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  const exit = new Promise<number | null>((done) => child.on("close", (code) => done(code)));
  return { child, output: () => said, exit };
}

/** A `serve` that answers. */
export interface Served extends Running {
  /** The first isolate's URL, without a slash at its end. */
  readonly url: string;
  readonly urls: readonly string[];
  readonly data: string;
  /** The runtime's process: what a test kills. */
  readonly workerdPid: number;
  /** Kills workerd with -9 and waits until serve has noticed. */
  kill(): Promise<void>;
  /** Ends it with SIGTERM, waits, and gives the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `serve` on free ports and waits for its ready line. */
export async function startServe(
  data: string,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Served> {
  const running = startScript("scripts/serve.ts", ["--port", "0", "--data", data, ...flags], env);
  const line = await untilSaid(running, /^warp is ready: (.*) \(data in /m);
  const urls = (line[1] ?? "").split(" ");
  const card = JSON.parse(readFileSync(join(data, "serve.json"), "utf8")) as { workerdPid: number };
  return {
    ...running,
    url: urls[0] ?? "",
    urls,
    data,
    workerdPid: card.workerdPid,
    kill: async () => {
      process.kill(card.workerdPid, "SIGKILL");
      await running.exit;
    },
    stop: async () => {
      running.child.kill("SIGTERM");
      return await running.exit;
    },
  };
}

/** Waits until a script has said `what`; fails with all it said if it ends before or takes longer than `timeoutMs`. */
export async function untilSaid(
  running: Running,
  what: RegExp,
  timeoutMs = 60_000,
): Promise<RegExpExecArray> {
  let over = false;
  void running.exit.then(() => (over = true));
  const until = Date.now() + timeoutMs;
  for (;;) {
    const match = what.exec(running.output());
    if (match !== null) return match;
    if (over || Date.now() > until) {
      running.child.kill("SIGKILL");
      throw new Error(`${over ? "ended" : "silent"} before it said ${what}; it said:\n${running.output()}`);
    }
    await sleep(20);
  }
}

/** A fresh folder, removed at the end of the scope. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "warp-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Whether a process lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A dead one that nobody has asked for yet still has its number.
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/^\d+ \(.*\) Z/.test(readFileSync(stat, "utf8"));
}

/** A variable that marks a script and all that it starts, so that {@link marked} finds what is left of them. */
export function mark(): Record<string, string> {
  return { WARP_TEST_MARK: randomUUID() };
}

/** The living processes that carry a mark. Linux only; elsewhere none are found. */
export function marked(env: Record<string, string>): number[] {
  if (!existsSync("/proc/self/environ")) return [];
  const wanted = `WARP_TEST_MARK=${env.WARP_TEST_MARK}`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(wanted) && isAlive(pid);
      } catch {
        return false; // ended while we looked, or somebody else's
      }
    });
}

/** Waits until `fine` holds; gives whether it did within `timeoutMs`. */
export async function eventually(
  fine: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<boolean> {
  for (const until = Date.now() + timeoutMs; Date.now() < until; ) {
    if (await fine()) return true;
    await sleep(50);
  }
  return await fine();
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

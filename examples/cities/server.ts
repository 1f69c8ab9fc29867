import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");

/** `npm run serve` on a fresh folder. */
export interface Server {
  /** One for each isolate. */
  readonly urls: readonly string[];
  readonly data: string;
  /** Resident memory of the runtime, in bytes; undefined where the system doesn't tell. */
  memoryBytes(): Promise<number | undefined>;
  /** Resolves when it has ended, by itself or by {@link Server.stop}. */
  readonly ended: Promise<unknown>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts the server on free ports, with further variables, and waits until it is ready. */
export async function startServer(
  isolates: number,
  variables: Readonly<Record<string, string>> = {},
): Promise<Server> {
  await mkdir(join(root, ".warp"), { recursive: true });
  const data = await mkdtemp(join(root, ".warp", "demo-"));
  const flags = ["--port", "0", "--data", data, "--isolates", String(isolates)];
  const { WARP_SECRET: _, ...env } = process.env; // the demo's server is open, on loopback
  const child = spawn(process.execPath, [join(root, "scripts/serve.ts"), ...flags], {
    env: { ...env, ...variables },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  const urls = await new Promise<string[]>((ready, failed) => {
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk;
      const line = /^warp is ready: (.*) \(data in /m.exec(said);
      if (line?.[1] !== undefined) ready(line[1].split(" "));
    });
    void ended.then(() => failed(new Error("the server did not start")));
  });
  const card = JSON.parse(await readFile(join(data, "serve.json"), "utf8")) as { workerdPid: number };
  return { urls, data, ended, stop, memoryBytes: () => memoryOf(card.workerdPid) };
}

async function memoryOf(pid: number): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(pid)]);
    return Number(stdout.trim()) * 1_024;
  } catch {
    return undefined; // a system without ps
  }
}

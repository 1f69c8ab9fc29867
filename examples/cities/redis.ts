import { spawn } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** `npm run redis`: a Redis of this machine behind a REST surface. */
export interface Redis {
  readonly url: string;
  readonly token: string;
  /** Variables of a deployment that uses it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts it in a process of its own, so that it takes its turns beside the demo's. Rejects with what it said where it can't. */
export async function startRedis(): Promise<Redis> {
  const child = spawn(process.execPath, [join(root, "scripts/redis.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  let said = "";
  await new Promise<void>((ready, failed) => {
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk;
      if (/^redis is ready/m.test(said)) ready();
    });
    void ended.then(() => failed(new Error("Redis did not start")));
  });
  const variables = Object.fromEntries(
    [...said.matchAll(/^(UPSTASH_[A-Z_]+)=(\S+)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const { UPSTASH_REDIS_REST_URL: url = "", UPSTASH_REDIS_REST_TOKEN: token = "" } = variables;
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  return { url, token, variables, stop };
}

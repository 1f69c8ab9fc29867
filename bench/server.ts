import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { buildModule } from "../scripts/serve/bundle.ts";
import { workerdConfig } from "../scripts/serve/config-capnp.ts";
import { readDeployment } from "../scripts/serve/deployment.ts";
import { readServeOptions } from "../scripts/serve/options.ts";
import { startWorkerd } from "../scripts/serve/process.ts";
import { run } from "../scripts/serve/run.ts";

const root = resolve(import.meta.dirname, "..");

/** A server on a fresh folder under `.warp/`, on the project's own disk. */
export interface BenchServer {
  readonly url: string;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts the production server with the environment variables `env`: one isolate, a free port. */
export async function startBenchServer(env: Readonly<Record<string, string>>): Promise<BenchServer> {
  const data = await freshFolder();
  const options = readServeOptions(["--port", "0", "--data", data], env);
  if (options === "help") throw new Error("not reached: no --help was given");
  const serving = await run(root, options, { ...quietEnvironment(), ...env });
  return {
    url: serving.urls[0] ?? "",
    stop: async () => {
      await serving.stop();
      await serving.ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** Starts the Worker of `folder` (its wrangler.toml) in the same way, with the variables `env`. */
export async function startBenchWorker(
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<BenchServer> {
  const data = await freshFolder();
  const toml = join(import.meta.dirname, folder, "wrangler.toml");
  await buildModule(toml, join(data, "worker.js"));
  await writeFile(join(data, "nothing.js"), "export class KvStore {}\nexport default {};\n");
  const config = join(data, "config.capnp");
  const text = workerdConfig({
    deployment: readDeployment(await readFile(toml, "utf8")),
    worker: "worker.js",
    kvService: "nothing.js",
    isolates: 1,
    variables: env,
    fromEnvironment: [],
  });
  await writeFile(config, text);
  await mkdir(join(data, "objects"));
  const workerd = await startWorkerd({
    config,
    directories: { data: join(data, "objects") },
    addresses: ["127.0.0.1:0"],
    env: quietEnvironment(),
  });
  return {
    url: `http://127.0.0.1:${workerd.ports[0]}`,
    stop: async () => {
      await workerd.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function freshFolder(): Promise<string> {
  await mkdir(join(root, ".warp"), { recursive: true });
  return await mkdtemp(join(root, ".warp", "bench-"));
}

/** Without settings of Warp that the shell happens to have. */
function quietEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WARP_")));
}

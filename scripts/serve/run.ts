import { copyFile, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { bundle } from "./bundle.ts";
import { assetsName, diskName, workerdConfig } from "./config-capnp.ts";
import { readDeployment } from "./deployment.ts";
import { lockData } from "./lock.ts";
import { mainModule } from "./modules.ts";
import { authority, type ServeOptions } from "./options.ts";
import { type Ended, startWorkerd } from "./process.ts";

/** A deployment that answers. */
export interface Serving {
  /** One for each isolate. */
  readonly urls: readonly string[];
  /** Resolves when the runtime has ended by itself or by {@link Serving.stop}. */
  readonly ended: Promise<Ended>;
  stop(): Promise<void>;
}

const passedOn = [
  "WARP_SECRET",
  "WARP_SECRET_PREVIOUS",
  "WARP_CORS_ORIGINS",
  "WARP_MAX_VALUE_BYTES",
  "WARP_REGISTRATIONS",
  "WARP_CACHE_POLICY",
  "WARP_GROUP_COMMIT",
  "WARP_METRICS_INTERVAL_MS",
  "WARP_MAX_SOCKETS_PER_SUBJECT",
  "WARP_MAX_WATCHES_PER_SUBJECT",
  "WARP_MAX_MESSAGES_PER_SECOND",
  "WARP_SHARD_WATCHERS",
  "WARP_RELAY_WATCHERS",
  "WARP_SOCKETS_PER_SECOND",
  "WARP_SUBSCRIBE",
  "WARP_SSE_ROTATE_MS",
  "WARP_DEFAULT_STORAGE",
  "WARP_DEFAULT_FALLBACK",
  "UPSTASH_REDIS_REST_URL",
  "UPSTASH_REDIS_REST_TOKEN",
];

/** Builds the project in `root` and serves it as `options` say; ready when the promise resolves. */
export async function run(root: string, options: ServeOptions, env: NodeJS.ProcessEnv): Promise<Serving> {
  const data = resolve(options.data);
  await mkdir(data, { recursive: true });
  const lock = await lockData(data);
  try {
    const config = await prepare(root, data, options, env);
    const objects = join(data, "objects");
    await mkdir(objects, { recursive: true });
    const workerd = await startWorkerd({
      config,
      directories: { [diskName]: objects, [assetsName]: join(data, "run", "public") },
      addresses: Array.from({ length: options.isolates }, (_, index) =>
        authority(options.host, options.port === 0 ? 0 : options.port + index),
      ),
      env,
    });
    const urls = workerd.ports.map((port) => `http://${authority(options.host, port)}`);
    lock.describe({ workerdPid: workerd.pid, urls });
    return {
      urls,
      ended: workerd.ended.finally(() => lock.release()),
      stop: () => workerd.stop(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Puts bundle and configuration into the data folder: what runs stays what it is while sources change. Gives the configuration's path. */
async function prepare(
  root: string,
  data: string,
  options: ServeOptions,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const built = await bundle(root);
  const folder = join(data, "run");
  await mkdir(folder, { recursive: true });
  const worker = join(folder, "worker");
  await rm(worker, { recursive: true, force: true });
  await cp(dirname(built.worker), worker, { recursive: true });
  await copyFile(built.kvService, join(folder, "kv-service.js"));
  await cp(built.assets, join(folder, "public"), { recursive: true });
  const config = join(folder, "config.capnp");
  await writeFile(
    config,
    workerdConfig({
      deployment: readDeployment(await readFile(join(root, "wrangler.toml"), "utf8")),
      worker: `worker/${mainModule}`,
      modules: Object.keys(built.modules),
      kvService: "kv-service.js",
      isolates: options.isolates,
      variables: options.open ? { WARP_OPEN: "loopback" } : {},
      // The database that is named may be one of this machine.
      reachesPrivate: (env.UPSTASH_REDIS_REST_URL ?? "") !== "",
      fromEnvironment: passedOn.filter((name) => (env[name] ?? "") !== ""),
    }),
  );
  return config;
}

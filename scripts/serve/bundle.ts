import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { buildModules, type ModuleList, mainModule } from "./modules.ts";

/** Where the production bundle lies. */
export interface Bundle {
  /** Path of the module that the Worker starts with. */
  readonly worker: string;
  /** The Worker's modules, all in one folder. */
  readonly modules: ModuleList;
  /** Path of the KV stand-in's module. */
  readonly kvService: string;
  /** Folder of the files beside the Worker. */
  readonly assets: string;
  /** Whether it was built just now; false: the sources are those of an earlier build. */
  readonly built: boolean;
}

/**
 * The production bundle of the project in `root`, as `wrangler deploy` would upload it. It lies in a folder named by the hash of all
 * that goes into it: unchanged sources cost no build, and two starts at the same time can't disturb each other.
 */
export async function bundle(root: string): Promise<Bundle> {
  const home = join(root, "dist", "worker");
  const folder = join(home, await sourceHash(root));
  const paths = {
    worker: join(folder, "worker", mainModule),
    kvService: join(folder, "kv-service.js"),
    assets: join(folder, "public"),
  };
  const list = join(folder, "modules.json");
  const modules = async () => JSON.parse(await readFile(list, "utf8")) as ModuleList;
  if ([...Object.values(paths), list].every(existsSync)) {
    return { ...paths, modules: await modules(), built: false };
  }

  await mkdir(home, { recursive: true });
  const attempt = await mkdtemp(join(home, ".attempt-"));
  try {
    const kvConfig = join(import.meta.dirname, "kv-service.toml");
    const [built] = await Promise.all([
      buildModules(join(root, "src", "worker.ts"), join(attempt, "worker")),
      buildModule(kvConfig, join(attempt, "kv-service.js")),
      cp(join(root, "public"), join(attempt, "public"), { recursive: true }),
    ]);
    // Only who builds needs the words of all routes.
    const { writeReference } = await import("./reference.ts");
    await writeReference(join(attempt, "public", "reference"));
    await writeFile(join(attempt, "modules.json"), JSON.stringify(built));
    await rename(attempt, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another start was faster with the same sources: its build is as good.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(attempt, { recursive: true, force: true });
  }
  await forgetOlder(home, folder);
  return { ...paths, modules: await modules(), built: true };
}

/** A short hash of the sources, the lock file and the configuration. */
async function sourceHash(root: string): Promise<string> {
  const hash = createHash("sha256");
  const own = ["kv-service.ts", "kv-service.toml", "modules.ts", "reference.ts"].map((name) =>
    join(import.meta.dirname, name),
  );
  const sources = await readdir(join(root, "src"), { recursive: true, withFileTypes: true });
  const files = sources
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of [...files, join(root, "wrangler.toml"), join(root, "package-lock.json"), ...own]) {
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(await readFile(file))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** Builds the Worker of the wrangler configuration `config`, which lets wrangler bundle it, into the one module `file`. */
export async function buildModule(config: string, file: string): Promise<void> {
  const outdir = `${file}.out`;
  await dryRun(dirname(config), config, outdir);
  await cp(await onlyModule(outdir), file);
  await rm(outdir, { recursive: true, force: true });
}

/** What `wrangler deploy` would upload, into `outdir`. */
export function dryRun(cwd: string, config: string, outdir: string): Promise<void> {
  const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
  const command = join(wrangler, "..", "bin", "wrangler.js");
  const child = spawn(
    process.execPath,
    [command, "deploy", "--dry-run", "--config", config, "--outdir", outdir],
    { cwd, env: quietWrangler(process.env), stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`wrangler could not build the Worker:\n${output.trim()}`)),
    );
  });
}

/** The environment that keeps wrangler from asking the network for anything. */
export function quietWrangler(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...environment,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_HIDE_BANNER: "true",
  };
}

/** The one module that a dry run wrote; a second one would need an entry of its own in the configuration. */
async function onlyModule(folder: string): Promise<string> {
  const modules = (await readdir(folder)).filter((name) => !/\.(map|md)$/.test(name));
  const [name, ...rest] = modules;
  if (name === undefined || rest.length > 0) {
    throw new Error(`the bundle should be one module, it is: ${modules.join(", ")}`);
  }
  return join(folder, name);
}

/** Leaves the newest few builds, so that the folder doesn't grow with every change. */
async function forgetOlder(home: string, newest: string): Promise<void> {
  const folders = (await readdir(home, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && /^[0-9a-f]{16}$/.test(entry.name))
    .map((entry) => join(home, entry.name))
    .filter((folder) => folder !== newest);
  const aged = await Promise.all(
    folders.map(async (folder) => ({ folder, at: (await stat(folder)).mtimeMs })),
  );
  aged.sort((one, other) => other.at - one.at);
  await Promise.all(aged.slice(3).map(({ folder }) => rm(folder, { recursive: true, force: true })));
}

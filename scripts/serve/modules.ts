import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

/** One module of the Worker: what else it names. */
export interface ModuleImports {
  /** Loaded together with it. */
  readonly now: readonly string[];
  /** Loaded by `import()`, when it is first needed. */
  readonly later: readonly string[];
}

/** The modules of a Worker by their names, all in one folder. */
export type ModuleList = Readonly<Record<string, ModuleImports>>;

/** The module that a Worker starts with. */
export const mainModule = "worker.js";

/**
 * Builds the Worker whose entry is `entry` into modules in `folder`: `worker.js` with what it needs at once, and one for each part that it loads by
 * `import()`. Files of an earlier build that are no part of this one are removed, and what has not changed is left alone: a watcher would take it for news.
 * Throws with esbuild's own words if the sources don't build.
 */
export async function buildModules(entry: string, folder: string): Promise<ModuleList> {
  await mkdir(folder, { recursive: true });
  const built = await esbuild().build({
    entryPoints: [{ in: entry, out: basename(mainModule, ".js") }],
    outdir: folder,
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    metafile: true,
    write: false,
    // As wrangler bundles a Worker.
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    define: { "process.env.NODE_ENV": '"production"', "navigator.userAgent": '"Cloudflare-Workers"' },
    logLevel: "warning",
  });
  const files = new Map(built.outputFiles.map(({ path, contents }) => [basename(path), contents]));
  // The one that names the others comes last, so that nobody finds a module that names one which is not there yet.
  for (const [name, contents] of [...files].sort(([one]) => (one === mainModule ? 1 : -1))) {
    await writeWhole(join(folder, name), contents);
  }
  for (const name of await readdir(folder)) {
    // What has another ending is on its way: another build may be at work here.
    if (name.endsWith(".js") && !files.has(name)) await rm(join(folder, name), { force: true });
  }
  return importsIn(built.metafile);
}

async function writeWhole(file: string, contents: Uint8Array): Promise<void> {
  const before = await readFile(file).catch(() => undefined);
  if (before?.equals(contents) === true) return;
  const attempt = `${file}.${process.pid}`;
  await writeFile(attempt, contents);
  await rename(attempt, file);
}

function importsIn(metafile: Metafile): ModuleList {
  return Object.fromEntries(
    Object.entries(metafile.outputs).map(([path, { imports }]) => {
      const named = (kind: string) =>
        imports
          .filter((entry) => entry.kind === kind && entry.external !== true)
          .map((entry) => basename(entry.path));
      return [basename(path), { now: named("import-statement"), later: named("dynamic-import") }];
    }),
  );
}

interface Metafile {
  readonly outputs: Readonly<
    Record<
      string,
      {
        readonly imports: readonly {
          readonly path: string;
          readonly kind: string;
          readonly external?: boolean;
        }[];
      }
    >
  >;
}

interface Esbuild {
  build(options: object): Promise<{
    readonly outputFiles: readonly { readonly path: string; readonly contents: Uint8Array }[];
    readonly metafile: Metafile;
  }>;
}

/** The esbuild that wrangler is pinned to. */
function esbuild(): Esbuild {
  const wrangler = createRequire(createRequire(import.meta.url).resolve("wrangler/package.json"));
  return wrangler("esbuild") as Esbuild;
}

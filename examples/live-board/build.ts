import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** The part of esbuild that is used here. */
interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>;
}

/** What the page is made of, by path. */
export type Files = ReadonlyMap<string, { readonly type: string; readonly text: string }>;

/** Bundles the page. wrangler builds the Worker with the same esbuild, so there is nothing to install for it. */
export async function buildPage(): Promise<Files> {
  const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
  const esbuild = createRequire(wrangler)("esbuild") as Esbuild;
  const page = (name: string) => join(import.meta.dirname, "page", name);
  const { outputFiles } = await esbuild.build({
    entryPoints: [page("main.ts")],
    bundle: true,
    format: "esm",
    target: "es2024",
    minify: true,
    sourcemap: "inline",
    write: false,
    // An application has these from its package manager.
    alias: Object.fromEntries(entries.map(([name, file]) => [name, join(root, file)])),
  });
  return new Map([
    ["/", { type: "text/html; charset=utf-8", text: await readFile(page("index.html"), "utf8") }],
    ["/board.css", { type: "text/css; charset=utf-8", text: await readFile(page("board.css"), "utf8") }],
    ["/board.js", { type: "text/javascript; charset=utf-8", text: outputFiles[0]?.text ?? "" }],
  ]);
}

/** The package's entries, as its manifest names them. */
const entries = [
  ["warp-edge/client", "src/client/index.ts"],
  ["warp-edge/client/presence", "src/client/presence.ts"],
  ["warp-edge/client/tabs", "src/client/tabs.ts"],
  ["warp-edge/store", "src/store/index.ts"],
] as const;

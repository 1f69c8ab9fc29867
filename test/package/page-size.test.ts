import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { root } from "./source.ts";

interface Plugin {
  readonly name: string;
  setup(build: {
    onResolve(
      options: { readonly filter: RegExp },
      resolve: (found: { readonly kind: string; readonly path: string }) => object | undefined,
    ): void;
  }): void;
}

/** The bundler that wrangler builds the Worker with. */
const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
const { build } = createRequire(wrangler)("esbuild") as {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>;
};

/** What is loaded on demand is not in what a page begins with. */
const onDemand: Plugin = {
  name: "on-demand",
  setup({ onResolve }) {
    onResolve({ filter: /\.ts$/ }, ({ kind, path }) =>
      kind === "dynamic-import" ? { path, external: true } : undefined,
    );
  },
};

/** Bytes of modules of `src/` as a page loads them together: one file, minified, with gzip. */
async function sizeOf(modules: readonly string[], plugins: Plugin[] = []): Promise<number> {
  const contents = modules.map((path) => `export * from "./src/${path}";`).join("\n");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    absWorkingDir: root,
    plugins,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).byteLength;
}

const kib = (bytes: number): string => `${(bytes / 1_024).toFixed(2)} KiB`;

describe("what a page loads", () => {
  test("the client's core has at most 8 KiB with gzip; watches, HTTP calls and tabs come on top, where they are used", async () => {
    const core = await sizeOf(["client/index.ts"], [onDemand]);
    const watches = await sizeOf(["client/index.ts", "client/live/watch.ts"], [onDemand]);
    const all = await sizeOf(["client/index.ts"]);
    const tabs = await sizeOf(["client/index.ts", "client/tabs.ts"]);
    console.log(
      `client: ${kib(core)} to begin with, ${kib(watches)} with watches, ${kib(all)} with HTTP calls, ${kib(tabs)} with tabs`,
    );
    expect(core).toBeLessThanOrEqual(8_192);
    expect(watches).toBeLessThanOrEqual(11_264);
    expect(all).toBeLessThanOrEqual(12_800);
    expect(tabs).toBeLessThanOrEqual(16_384);
  });

  test("a store adds at most 4 KiB to begin with; what keeps it in the browser is loaded after", async () => {
    const client = await sizeOf(["client/index.ts", "client/live/watch.ts"], [onDemand]);
    const modules = ["client/index.ts", "client/live/watch.ts", "store/create-store.ts"];
    const store = (await sizeOf(modules, [onDemand])) - client;
    const all = (await sizeOf([...modules, "store/indexed-db/indexed-db.ts"], [onDemand])) - client;
    console.log(`store: ${kib(store)} more to begin with, ${kib(all)} with IndexedDB`);
    expect(store).toBeLessThanOrEqual(4_096);
    expect(all).toBeLessThanOrEqual(4_864);
  });
});

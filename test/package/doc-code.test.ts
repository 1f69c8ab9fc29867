import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { filesIn, read, root } from "./source.ts";

const run = promisify(execFile);

/** What a page's fragments take for granted. A page that is not here has whole modules, which import what they need. */
const given: Readonly<Record<string, string>> = {
  "docs/core.md": `
    declare function loadUser(id: string): Promise<User>;
    declare function report(...facts: unknown[]): void;`,
  "docs/cache.md": `
    import { type KvNamespace, kvCache, memoryCache, versionedCache } from "warp-edge";
    declare const env: { readonly CACHE: KvNamespace };
    declare const atMs: number;
    declare const nowMs: number;`,
  "docs/node.md": "",
  "docs/clients.md": "",
  "docs/policies.md": `
    import type { Warp } from "warp-edge";
    declare const warp: Warp;`,
  "docs/versioned-cache.md": `
    import type { Warp } from "warp-edge";
    declare const warp: Warp;`,
  "docs/adapter.md": `
    import { type Adapter, memoryAdapter, MemoryStorage, type Clock, type Random } from "warp-edge";
    import { adapterContract } from "../../test/contract/adapter.ts";
    import { ManualTime } from "../../test/support/manual-time.ts";
    import { seeded } from "../../test/support/seeded.ts";
    declare const clock: Clock;
    declare const random: Random;
    declare function mine(): Adapter;`,
  "docs/watchbus.md": `
    import { Presence, standalone } from "warp-edge";
    import { nodeHost } from "warp-edge/node";
    interface User { readonly name: string }
    declare function report(...facts: unknown[]): void;`,
  "docs/syncbus.md": `
    import type { SyncBus } from "warp-edge";
    import { syncBusContract } from "../../test/contract/syncbus.ts";
    import { virtualClock } from "../../test/support/virtual-clock.ts";
    declare function report(...facts: unknown[]): void;
    declare function mine(options: { readonly node: string | undefined }): SyncBus;
    const clock = virtualClock();`,
};

/** The TypeScript blocks of a page, in order. */
function blocksOf(page: string): string[] {
  return [...read(page).matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
}

test("TypeScript in the pages passes the compiler, against the package's names", async () => {
  const pages = ["README.md", ...filesIn("docs", ".md")].filter((page) => blocksOf(page).length > 0);
  expect(pages.length).toBeGreaterThan(2);
  const folder = join(root, "dist", "doc-code");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const names: string[] = [];
  for (const page of pages) {
    // Fragments of a page build on each other; whole modules stand alone.
    const blocks = blocksOf(page);
    const modules = given[page] === undefined ? blocks : [[given[page], ...blocks].join("\n")];
    for (const [index, module] of modules.entries()) {
      const name = `${page.replaceAll("/", "-")}-${index}.ts`;
      names.push(name);
      await writeFile(join(folder, name), `${module}\nexport {};\n`);
    }
  }
  const source = (path: string) => [`../../src/${path}`];
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.base.json",
      compilerOptions: {
        composite: false,
        declaration: false,
        noEmit: true,
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true,
        noUnusedLocals: false,
        types: ["node", "@cloudflare/workers-types"],
        paths: {
          "warp-edge": source("index.ts"),
          "warp-edge/edge": source("edge.ts"),
          "warp-edge/shard": source("objects/warp-shard.ts"),
          "warp-edge/relay": source("objects/warp-relay.ts"),
          "warp-edge/node": source("node.ts"),
          "warp-edge/msgpack": source("msgpack.ts"),
          "warp-edge/upstash": source("upstash.ts"),
          "warp-edge/testing": source("testing.ts"),
          "warp-edge/client": source("client/index.ts"),
          "warp-edge/client/tabs": source("client/tabs.ts"),
          "warp-edge/client/presence": source("client/presence.ts"),
          "warp-edge/store": source("store/index.ts"),
          "#host": ["../../test/support/host/node.ts"],
        },
      },
      files: names,
    }),
  );
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const said = await run(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }).then(
    () => "",
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
  // The sources have a check of their own, with the types of one host at a time.
  const lines = said.split("\n").filter((line) => line !== "" && !/^(\.\.\/|\s)/.test(line));
  expect(lines).toEqual([]);
});

/** The anchors of a page: its headings as GitHub names them, and explicit ones. */
function anchorsOf(page: string): Set<string> {
  const text = read(page).replace(/^```[\s\S]*?^```/gm, "");
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)"/g)].map(([, id = ""]) => id)]);
}

test("each anchor that a link of a page names is there", () => {
  const pages = ["README.md", ...filesIn("docs", ".md")];
  const missing = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)]
      .filter(([, file = "", anchor = ""]) => {
        const target = file === "" ? page : new URL(file, `file:///${page}`).pathname.slice(1);
        return !anchorsOf(target).has(anchor);
      })
      .map(([link]) => `${page}: ${link}`),
  );
  expect(missing).toEqual([]);
});

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bundle, dryRun } from "../../scripts/serve/bundle.ts";
import { type ModuleList, mainModule } from "../../scripts/serve/modules.ts";
import { filesIn, read, root } from "./source.ts";

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly scripts: Record<string, string>;
}
const manifest = JSON.parse(read("package.json")) as Manifest;

/** KiB with gzip, of modules as one upload. */
async function kibOf(names: Iterable<string>): Promise<number> {
  const { worker } = await bundle(root);
  const texts = [...names].map((name) => readFileSync(join(dirname(worker), name)));
  return gzipSync(Buffer.concat(texts), { level: 9 }).byteLength / 1_024;
}

/** A module and all that is loaded with it. */
function closure(modules: ModuleList, name: string, seen = new Set<string>()): Set<string> {
  if (!seen.has(name)) {
    seen.add(name);
    for (const other of modules[name]?.now ?? []) closure(modules, other, seen);
  }
  return seen;
}

describe("the Worker's bundle", () => {
  test("what each isolate starts with is at most 150 KiB with gzip", async () => {
    const { modules } = await bundle(root);
    const kib = await kibOf(closure(modules, mainModule));
    console.log(`Worker bundle: starts with ${kib.toFixed(1)} KiB gzip`);
    expect(kib).toBeLessThanOrEqual(150);
  });

  test("each part that is loaded when it is needed is small, and so is the whole", async () => {
    const { modules } = await bundle(root);
    const started = closure(modules, mainModule);
    const parts = [...new Set(Object.values(modules).flatMap(({ later }) => later))].sort();
    expect(parts.length).toBeGreaterThan(0);
    for (const part of parts) {
      const kib = await kibOf([...closure(modules, part)].filter((name) => !started.has(name)));
      console.log(`Worker bundle: ${part.replace(/-[^-]*$/, "")} ${kib.toFixed(1)} KiB gzip`);
      expect(kib, part).toBeLessThanOrEqual(40);
    }
    const kib = await kibOf(Object.keys(modules));
    console.log(`Worker bundle: ${kib.toFixed(1)} KiB gzip in all`);
    expect(kib).toBeLessThanOrEqual(250);
  });

  test("wrangler deploys just these modules", async () => {
    const { worker, modules } = await bundle(root);
    const folder = await mkdtemp(join(tmpdir(), "warp-deploy-"));
    try {
      await dryRun(root, join(root, "wrangler.toml"), folder);
      const names = (await readdir(folder)).filter((name) => name !== "README.md");
      expect(names.sort()).toEqual(Object.keys(modules).sort());
      for (const name of names) {
        const [ours, deployed] = [join(dirname(worker), name), join(folder, name)].map((file) =>
          readFileSync(file, "utf8"),
        );
        expect(deployed).toBe(ours);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("has no second schema library in it", async () => {
    const { worker, modules } = await bundle(root);
    for (const name of Object.keys(modules)) {
      expect(readFileSync(join(dirname(worker), name), "utf8")).not.toMatch(/ZodError|node_modules\/zod/);
    }
  });
});

describe("the package", () => {
  test("pins every version exactly", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  test("runs on the Node that it brings", () => {
    expect(process.version).toBe(`v${manifest.devDependencies.node}`);
  });

  test("each script's file is there", () => {
    const scripts = Object.values(manifest.scripts).flatMap((script) => [
      ...script.matchAll(/node (\S+\.ts)/g),
    ]);
    for (const [, file = ""] of scripts) expect(read(file).length, file).toBeGreaterThan(0);
  });

  test("the lock file lacks no platform's packages", ({ skip }) => {
    let said: string;
    try {
      const npm = ["ci", "--dry-run", "--no-audit", "--no-fund"];
      said = execFileSync("npm", npm, { cwd: root, encoding: "utf8", stdio: "pipe", timeout: 90_000 });
    } catch (error) {
      const { stderr = "", stdout = "" } = error as { stderr?: string; stdout?: string };
      said = stdout + stderr;
      if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|network/i.test(said) && process.env.CI !== "true") {
        return skip("npm has no network");
      }
      if (!said.includes("Missing")) throw error;
    }
    expect(said).not.toContain("Missing");
  });
});

describe("the tree", () => {
  const texts = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter(
      (file) => /\.(ts|md|toml|json|txt|html|css|sh)$|^\.ci\//.test(file) && file !== "package-lock.json",
    );

  test("names no path of a machine and no private address", () => {
    // The classes keep this line from matching itself.
    const forbidden = /\/[w]ork\/|\/[h]ome\/\w|\/[r]oot\/|\/[U]sers\/\w|\b[C]:\\/;
    expect(texts.filter((file) => forbidden.test(read(file)))).toEqual([]);
  });

  test("the lock file takes packages from the public registry only", () => {
    const hosts = [...read("package-lock.json").matchAll(/"resolved": "https?:\/\/([^/"]+)/g)].map(
      (match) => match[1],
    );
    expect([...new Set(hosts)].filter((host) => host !== "registry.npmjs.org")).toEqual([]);
  });

  test("each relative link of a page leads somewhere", () => {
    const pages = texts.filter((file) => file.endsWith(".md"));
    const tree = new Set(texts);
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s:]+)(?:#[^)]*)?\)/g)]
        .map((match) => new URL(match[1] ?? "", `file:///${page}`).pathname.slice(1))
        .filter((target) => !tree.has(target) && !existsSync(join(root, target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test("no source file has more than 300 lines", () => {
    const long = filesIn("src", ".ts").filter((file) => read(file).split("\n").length > 301);
    expect(long).toEqual([]);
  });
});

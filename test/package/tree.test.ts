import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bundle } from "../../scripts/serve/bundle.ts";
import { filesIn, read, root } from "./source.ts";

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly scripts: Record<string, string>;
}
const manifest = JSON.parse(read("package.json")) as Manifest;

describe("the Worker's bundle", () => {
  test("is at most 150 KiB with gzip", async () => {
    const { worker } = await bundle(root);
    const bytes = gzipSync(read(worker.slice(root.length + 1)), { level: 9 }).byteLength;
    console.log(`Worker bundle: ${(bytes / 1_024).toFixed(1)} KiB gzip`);
    expect(bytes).toBeLessThanOrEqual(150 * 1_024);
  });

  test("has no second schema library in it", async () => {
    const { worker } = await bundle(root);
    expect(read(worker.slice(root.length + 1))).not.toMatch(/ZodError|node_modules\/zod/);
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

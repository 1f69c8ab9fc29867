import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

test("the package's command is built from src/cli/warp.ts, which says what runs it", () => {
  const { bin, scripts } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as {
    bin: Record<string, string>;
    scripts: Record<string, string>;
  };
  expect(bin).toEqual({ warp: "dist/lib/cli/warp.js" });
  expect(scripts.warp).toBe("node src/cli/warp.ts");
  expect(readFileSync(`${root}/src/cli/warp.ts`, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});

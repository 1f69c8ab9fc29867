/**
 * `npm run check`: format and lint, types, then every test; the package checks (layers, exports, spec ids, bundle size …) are tests
 * too. Stops at the first failure. Its last line counts the tests.
 */

import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { root, runSteps } from "./steps.ts";
import { countTests } from "./test-count.ts";

const report = join(root, "dist", "test-report.json");
await mkdir(join(root, "dist"), { recursive: true });
await rm(report, { force: true });

const fine = await runSteps([
  { name: "lint", command: ["biome", "check", "--error-on-warnings"] },
  { name: "types", command: ["tsc", "-b"] },
  {
    name: "tests",
    command: ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
  },
]);
if (existsSync(report)) {
  const { line, failed } = await countTests(report);
  console.log(`\n${line}`);
  if (failed > 0) process.exitCode = 1;
} else {
  // What broke before the tests counts as one failure, so that the last line is always true.
  console.log("\n0 passed, 1 failed");
}
if (!fine) process.exitCode = 1;

import { readFile } from "node:fs/promises";

/** What vitest's JSON report tells, in the part that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** The counts of a run: `12 passed, 0 failed` and, if there are any, `, 3 skipped`. A file that could not be run is a failure. */
export async function countTests(file: string): Promise<{ readonly line: string; readonly failed: number }> {
  const report = JSON.parse(await readFile(file, "utf8")) as Report;
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + broken;
  const skipped = report.numPendingTests + report.numTodoTests;
  const line = `${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  return { line, failed };
}

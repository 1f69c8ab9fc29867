import { spawn } from "node:child_process";
import { delimiter, join, resolve } from "node:path";

/** The project's folder. */
export const root = resolve(import.meta.dirname, "..");

/** A command line with a name. */
export interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

/** Runs the steps one after the other with their output shown, stops at the first that fails, and prints what took how long. */
export async function runSteps(steps: readonly Step[]): Promise<boolean> {
  const lines: string[] = [];
  let fine = true;
  for (const step of steps) {
    console.log(`\n> ${step.name}: ${step.command.join(" ")}`);
    const startedAt = performance.now();
    fine = (await execute(step.command)) === 0;
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    lines.push(`${fine ? "ok    " : "FAILED"} ${step.name.padEnd(10)} ${seconds.padStart(6)} s`);
    if (!fine) break;
  }
  const left = steps.slice(lines.length).map((step) => `not run ${step.name}`);
  console.log(`\n${[...lines, ...left].join("\n")}`);
  return fine;
}

function execute([file, ...args]: readonly [string, ...string[]]): Promise<number> {
  // The project's tools first, whichever way the script was started.
  const path = [join(root, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter);
  const child = spawn(file, args, { cwd: root, env: { ...process.env, PATH: path }, stdio: "inherit" });
  return new Promise((done, reject) => {
    child.on("error", reject);
    child.on("close", (code) => done(code ?? 1));
  });
}

import { spawnSync } from "node:child_process";

/** The name of promtool, or undefined where it is not installed; under CI that is an error, since its script installs it. */
export function promtool(): string | undefined {
  if (spawnSync("promtool", ["--version"]).status === 0) return "promtool";
  if (process.env.CI === "true") throw new Error("promtool is missing");
  return undefined;
}

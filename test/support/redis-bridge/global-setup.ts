import type { TestProject } from "vitest/node";
import { RedisBridge } from "../../../scripts/redis-bridge/bridge.ts";
import { missingRedis } from "../../../scripts/redis-bridge/redis-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where beds are made, or why there are none. */
    readonly redisBridge: { readonly url: string } | { readonly missing: string };
  }
}

/** Starts the bridge for a project's suites; servers start with the first bed that wants one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = missingRedis();
  if (missing !== undefined) {
    if (process.env.CI === "true") throw new Error(`the suites against Redis can't run: ${missing}`);
    process.stdout.write(`Skipped: the suites against Redis. ${missing}.\n`);
    project.provide("redisBridge", { missing });
    return async () => undefined;
  }
  const bridge = new RedisBridge();
  project.provide("redisBridge", { url: await bridge.start() });
  return () => bridge.end();
}

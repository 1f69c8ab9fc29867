import { missingRedis } from "../../../scripts/redis-bridge/redis-server.ts";

/** Whether there is no Redis, so that a suite is to be skipped: it says so. Throws with `CI=true`, where it must be there. */
export function redisOrSkip(): boolean {
  const missing = missingRedis();
  if (missing === undefined) return false;
  if (process.env.CI === "true") throw new Error(`the suites against Redis can't run: ${missing}`);
  console.log(`Skipped: ${missing}.`);
  return true;
}

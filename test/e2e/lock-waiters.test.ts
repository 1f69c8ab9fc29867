import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Served, startCommand, startServe } from "../support/serve.ts";

const secret = "0123456789abcdef0123456789abcdef";
let data = "";
let served: Served;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "warp-waiters-"));
  served = await startServe(data, [], { WARP_SECRET: secret });
});

afterAll(async () => {
  await served?.stop();
  await rm(data, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly waiters?: number;
  readonly fence?: number;
}

async function call(method: string, path: string, body?: Record<string, unknown>): Promise<Answer> {
  const response = await fetch(`${served.url}/v1/s/${path}`, {
    method,
    headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { ...((await response.json()) as Omit<Answer, "status">), status: response.status };
}

async function untilWaiting(count: number): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if ((await call("GET", "locks/job")).waiters === count) return;
    await sleep(50);
  }
  throw new Error("nobody waits");
}

test("LK9 X-13 a warp lock that is killed -9 while it waits holds up nobody: the next has the lock within seconds, not after a time to live", async () => {
  const holder = await call("POST", "locks/job", { owner: "holder", ttlMs: 60_000 });
  expect(holder.status).toBe(201);
  const warp = ["src/cli/warp.ts", "lock", "job", "--ttl", "10m", "--wait", "1m", "--", "true"];
  const env = { WARP_URL: served.url, WARP_SPACE: "s", WARP_TOKEN: secret };
  const vanished = startCommand(process.execPath, warp, env);
  await untilWaiting(1);
  const next = call("POST", "locks/job", { owner: "next", ttlMs: 60_000, waitMs: 20_000 });
  await untilWaiting(2);
  vanished.child.kill("SIGKILL");
  await vanished.exit;
  await sleep(500);
  const releasedAt = performance.now();
  await call("DELETE", `locks/job?owner=holder&fence=${holder.fence}`);
  expect(await next).toMatchObject({ status: 201, owner: "next" });
  const tookMs = performance.now() - releasedAt;
  console.log(`the next waiter had the lock after ${Math.round(tookMs)} ms`);
  expect(tookMs).toBeLessThan(8_000);
});

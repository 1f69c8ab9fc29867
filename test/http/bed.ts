import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { Warp } from "../../src/core/warp.ts";
import { createApp } from "../../src/http/app.ts";
import type { HttpConfig } from "../../src/http/config.ts";
import type { Deployment, SpaceAdministration, SpaceWarp } from "../../src/http/deployment.ts";
import { renderReference } from "../../src/http/page/files.ts";
import { routes } from "../../src/http/routes/index.ts";
import { MemoryLeaseSpace } from "../../src/lease/memory/memory-lease-space.ts";
import { memoryLeases } from "../../src/lease/memory/memory-leases.ts";
import { MemoryLockSpace } from "../../src/lock/memory/memory-lock-space.ts";
import { memoryLocks } from "../../src/lock/memory/memory-locks.ts";
import type { HeldLocks } from "../../src/protocol/fence.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { FakeSpaces } from "./fake-warp.ts";
import { fakeWatches } from "./fake-watches.ts";

export const secret = "a-secret-of-enough-bytes";

/** Settings with a secret; `changes` on top. */
export function config(changes: Partial<HttpConfig> = {}): HttpConfig {
  return {
    secrets: [secret],
    open: false,
    origins: [],
    maxValueBytes: 1_048_576,
    rotateMs: 600_000,
    version: "1.2.3",
    ...changes,
  };
}

/** An app over stand-in spaces, with a clock that stands still until a test moves it. */
export function fakeBed(changes: Partial<HttpConfig> = {}) {
  const spaces = new FakeSpaces();
  return { ...bed(changes, spaces, (space) => spaces.warp(space)), spaces };
}

/** An app over the real core: each space a node with its L1 over storage in memory, whose guards ask `locks`, by default its own; null: there are none. */
export function coreBed(changes: Partial<HttpConfig> = {}, locks?: HeldLocks | null) {
  const warps = new Map<string, Warp>();
  const made = bed(changes, new FakeSpaces(), (space) => {
    let warp = warps.get(space);
    if (warp === undefined) {
      const { clock, random } = made.deployment;
      const host = { clock, random, timers: { after: () => () => undefined } };
      const inMemory = new MemoryLockSpace(host);
      const guards = locks === undefined ? inMemory : locks;
      const leases = new MemoryLeaseSpace(host);
      warp = new Warp({
        ...host,
        adapter: memoryAdapter({ clock, random, ...(guards && { locks: guards }), leases }),
        cache: memoryCache({}),
        background: { run: (work) => void work.catch(() => undefined) },
        locks: memoryLocks({ space: inMemory }),
        leases: memoryLeases({ space: leases }),
      });
      warps.set(space, warp);
    }
    return warp;
  });
  return { ...made, warps };
}

/** An app over one node, whatever its space is called. */
export function nodeBed(warp: SpaceWarp) {
  return bed({}, new FakeSpaces(), () => warp);
}

function bed(changes: Partial<HttpConfig>, spaces: SpaceAdministration, warp: (space: string) => SpaceWarp) {
  const clock = { nowMs: 1_800_000_000_000, now: () => clock.nowMs };
  const logged: { message: string; facts: Readonly<Record<string, unknown>> }[] = [];
  const deployment: Deployment = {
    warp,
    spaces,
    config: config(changes),
    clock,
    random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    log: { error: (message, facts) => void logged.push({ message, facts }) },
    // No host lets a test make an answer of status 101.
    connect: async () => new Response("a socket"),
    watching: fakeWatches,
    reference: async (file) => renderReference(routes, deployment.config.version)[file],
    metrics: { observe: () => undefined, scrape: async (format) => `# ${format}\n` },
  };
  const app = createApp(deployment);
  /** A request with the secret as bearer, unless `init` brings its own. */
  const call = async (method: string, path: string, init: RequestInit & { bearer?: string | null } = {}) => {
    const headers = new Headers(init.headers);
    const bearer = init.bearer === undefined ? secret : init.bearer;
    if (bearer !== null && !headers.has("Authorization")) headers.set("Authorization", `Bearer ${bearer}`);
    return await app.request(`http://localhost${path}`, { ...init, method, headers });
  };
  return { app, call, clock, logged, deployment };
}

/** The problem in an answer, which must be one. */
export async function problemOf(response: Response): Promise<{ code: string; [member: string]: unknown }> {
  const type = response.headers.get("Content-Type");
  if (type !== "application/problem+json") throw new Error(`${response.status} is no problem: ${type}`);
  const problem = (await response.json()) as { code: string; status: number };
  if (problem.status !== response.status)
    throw new Error(`${problem.status} in the body of a ${response.status}`);
  return problem;
}

/** The text of any answer; workerd warns where `text()` meets NDJSON. */
export async function textOf(response: Response): Promise<string> {
  return fromUtf8(new Uint8Array(await response.arrayBuffer()));
}

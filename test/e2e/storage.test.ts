/** About 15 s. */

import { describe, expect, test } from "vitest";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

const json = { "Content-Type": "application/json" };

/** A space of a deployment that is served. */
function spaceOf(served: Served, name: string) {
  const url = `${served.url}/v1/${name}`;
  const put = (path: string, body: string) => fetch(`${url}${path}`, { method: "PUT", headers: json, body });
  return {
    create: (settings: object) => put("", JSON.stringify(settings)),
    put: (key: string, value: unknown) => put(`/keys/${key}`, JSON.stringify(value)),
    get: (key: string) => fetch(`${url}/keys/${key}`),
    show: async () => (await (await fetch(url)).json()) as Shown,
    delete: () => fetch(url, { method: "DELETE" }),
  };
}

interface Shown {
  readonly code?: string;
  readonly storage?: object;
  readonly fallback?: string;
  readonly usage: {
    readonly outbox?: { readonly entries: number; readonly error?: { readonly code: string } };
  };
}

async function codeOf(answer: Response | Promise<Response>): Promise<string | undefined> {
  return ((await (await answer).json()) as { code?: string }).code;
}

/** All names in a Redis. */
async function names(redis: LocalRedis): Promise<readonly string[]> {
  const answer = await fetch(redis.url, {
    method: "POST",
    headers: { Authorization: `Bearer ${redis.token}` },
    body: '["KEYS","*"]',
  });
  return ((await answer.json()) as { result: string[] }).result.sort();
}

describe.skipIf(redisOrSkip())("a deployment with a database in its variables", () => {
  test("AD3 a space has it as storage and fallback by its name; what waits is shown, and a write says that it does", async () => {
    await using folder = await temporaryFolder();
    const redis = await LocalRedis.start();
    const served = await startServe(folder.path, [], redis.variables);
    try {
      const space = spaceOf(served, "carts");
      const unknown = await space.create({ storage: { name: "elsewhere" } });
      expect(unknown.status).toBe(400);
      expect(await unknown.json()).toMatchObject({
        code: "invalid_argument",
        details: { field: "storage.name", known: ["upstash"] },
      });
      expect(await codeOf(space.create({ fallback: "elsewhere" }))).toBe("invalid_argument");
      expect(await codeOf(fetch(`${served.url}/v1/carts`))).toBe("space_not_found");

      const storage = { name: "upstash", write: "through", throughTimeoutMs: 300 };
      expect((await space.create({ storage, fallback: "upstash" })).status).toBe(201);
      expect((await space.create({ storage })).status).toBe(200);
      expect((await space.create({})).status).toBe(200);
      expect(await codeOf(space.create({ storage: { name: "upstash" } }))).toBe("space_conflict");
      expect(await space.show()).toMatchObject({ storage, fallback: "upstash" });

      const through = await space.put("a", 1);
      expect([through.status, through.headers.get("Warp-Storage")]).toEqual([201, null]);
      expect(await names(redis)).toContain("warp:{carts}:v:a");

      await redis.server("kill");
      const pending = await space.put("b", 2);
      expect([pending.status, pending.headers.get("Warp-Storage")]).toEqual([201, "pending"]);
      expect(await pending.json()).toMatchObject({ storage: "pending", created: true });
      expect(await (await space.get("b")).json()).toBe(2);
      expect((await space.show()).usage.outbox).toMatchObject({
        entries: 1,
        error: { code: "storage_unavailable" },
      });

      // The storage's part of the space can't be removed now, so the space stays until it can.
      expect(await codeOf(space.delete())).toMatch(/^storage_(unavailable|timeout)$/);
      expect((await space.show()).code).toBe("space_deleting");
      await redis.server("start");
      expect((await space.delete()).status).toBe(200);
      // The fallback remembers that the space is gone: a notice of it that comes late must not bring it back.
      expect(await names(redis)).toEqual(["warp:{carts}:p"]);
    } finally {
      await served.stop();
      await redis.end();
    }
  }, 120_000);

  test("spaces that a first write makes have it where the deployment says so; without the variables what needs it is misconfigured, all else is served", async () => {
    await using folder = await temporaryFolder();
    const redis = await LocalRedis.start();
    const defaults = { WARP_DEFAULT_STORAGE: "upstash", WARP_DEFAULT_FALLBACK: "upstash" };
    let served = await startServe(folder.path, [], { ...redis.variables, ...defaults });
    try {
      const before = spaceOf(served, "first");
      expect((await before.put("a", 1)).status).toBe(201);
      expect(await before.show()).toMatchObject({
        storage: { name: "upstash", write: "behind" },
        fallback: "upstash",
      });
      expect(await eventually(async () => (await before.show()).usage.outbox?.entries === 0)).toBe(true);
      await served.stop();

      served = await startServe(folder.path);
      const after = spaceOf(served, "first");
      expect(await (await after.get("a")).json()).toBe(1);
      expect(await codeOf(after.get("b"))).toBe("misconfigured");
      expect((await after.put("c", 3)).status).toBe(201);
      expect(await eventually(async () => (await after.show()).usage.outbox?.error !== undefined)).toBe(true);
      expect((await after.show()).usage.outbox).toMatchObject({
        entries: 1,
        error: { code: "misconfigured" },
      });
      await served.stop();

      served = await startServe(folder.path, [], redis.variables);
      const again = spaceOf(served, "first");
      expect((await again.get("b")).status).toBe(404);
      expect(await eventually(async () => (await again.show()).usage.outbox?.entries === 0)).toBe(true);
      expect(await names(redis)).toContain("warp:{first}:v:c");
      // What is made now has none.
      expect((await spaceOf(served, "second").put("a", 1)).status).toBe(201);
      expect((await spaceOf(served, "second").show()).storage).toBeUndefined();
    } finally {
      await served.stop();
      await redis.end();
    }
  }, 120_000);

  test("a token that the database refuses shows in the space's usage, and never in an answer", async () => {
    await using folder = await temporaryFolder();
    const redis = await LocalRedis.start();
    const token = "wrong-token-of-a-test";
    const served = await startServe(folder.path, [], { ...redis.variables, UPSTASH_REDIS_REST_TOKEN: token });
    try {
      const space = spaceOf(served, "s");
      await space.create({ storage: { name: "upstash" } });
      expect((await space.put("a", 1)).status).toBe(201);
      expect(await eventually(async () => (await space.show()).usage.outbox?.error !== undefined)).toBe(true);
      const shown = await space.show();
      expect(shown.usage.outbox?.error).toMatchObject({
        code: "storage_unavailable",
        message: "the storage refuses the token",
        retryable: false,
      });
      expect(JSON.stringify(shown)).not.toContain(token);
      const missing = await space.get("b");
      expect(await missing.text()).not.toContain(token);
      expect(served.output()).not.toContain(token);
    } finally {
      await served.stop();
      await redis.end();
    }
  }, 120_000);
});

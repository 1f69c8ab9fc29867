import { describe, expect, it } from "vitest";
import { coreBed, problemOf, textOf } from "./bed.ts";

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

/** A space over the core whose keys keep up to `versions` versions. */
async function keeping(versions: number) {
  const bed = coreBed();
  const registered = await bed.call("PUT", "/v1/s/registrations/*", json({ history: { versions } }));
  expect(registered.status).toBe(201);
  const put = async (text: string, query = "") => {
    const response = await bed.call("PUT", `/v1/s/keys/a${query}`, { body: text });
    bed.clock.nowMs += 1_000;
    return Number(response.headers.get("Warp-Version"));
  };
  return { ...bed, put };
}

describe("the past over HTTP and the core", () => {
  it("VE2 reads by version and by time, restores with tags, and the history tells all of it", async () => {
    const { call, put, clock } = await keeping(10);
    const start = clock.nowMs;
    const one = await put("one", "?tags=x");
    const two = await put("two");
    await call("DELETE", "/v1/s/keys/a");
    const read = async (query: string) => await call("GET", `/v1/s/keys/a?${query}`);
    expect(await (await read(`version=${one}`)).text()).toBe("one");
    expect(await (await read(`at=${start}`)).text()).toBe("one");
    expect(await (await read(`at=${new Date(start + 1_500).toISOString()}`)).text()).toBe("two");
    const again = await call("GET", `/v1/s/keys/a?version=${two}`, {
      headers: { "If-None-Match": (await read(`version=${two}`)).headers.get("ETag") ?? "" },
    });
    expect(again.status).toBe(304);
    const restored = await call("POST", "/v1/s/restore/a", json({ version: one }));
    expect(restored.status).toBe(200);
    expect(await (await call("GET", "/v1/s/keys/a")).text()).toBe("one");
    const { versions, more } = (await (await call("GET", "/v1/s/history/a")).json()) as {
      versions: { kind: string; tags?: string[]; etag?: string }[];
      more: boolean;
    };
    expect(more).toBe(false);
    expect(versions.map(({ kind, tags }) => [kind, tags])).toEqual([
      ["set", ["x"]],
      ["delete", undefined],
      ["set", undefined],
      ["set", ["x"]],
    ]);
    expect(versions.map(({ etag }) => etag !== undefined)).toEqual([true, false, true, true]);
  });

  it("VE4 a deletion is a version: not found, with its number", async () => {
    const { call, put } = await keeping(10);
    await put("one");
    await call("DELETE", "/v1/s/keys/a");
    const { versions } = (await (await call("GET", "/v1/s/history/a?limit=1")).json()) as {
      versions: { version: number }[];
    };
    const response = await call("GET", `/v1/s/keys/a?version=${versions[0]?.version}`);
    expect(response.headers.get("Warp-Version")).toBe(String(versions[0]?.version));
    expect((await problemOf(response)).code).toBe("not_found");
  });

  it("VE5 beyond what is kept is 410, the future is refused", async () => {
    const { call, put, clock } = await keeping(2);
    const first = await put("one");
    for (const text of ["two", "three", "four"]) await put(text);
    expect((await call("GET", `/v1/s/keys/a?version=${first}`)).status).toBe(410);
    expect((await problemOf(await call("GET", "/v1/s/keys/a?at=1000"))).code).toBe("version_compacted");
    const future = await problemOf(await call("GET", `/v1/s/keys/a?at=${clock.nowMs + 3_600_000}`));
    expect(future.code).toBe("invalid_version");
  });
});

describe("tags and warmup over HTTP and the core", () => {
  it("CO9 one tag drops the copies of its keys, and of no others", async () => {
    const { call } = coreBed();
    await call("PUT", "/v1/s/keys/a?tags=t", { body: "v" });
    await call("PUT", "/v1/s/keys/b?tags=u", { body: "v" });
    const cache = async (key: string) => (await call("GET", `/v1/s/keys/${key}`)).headers.get("Warp-Cache");
    expect([await cache("a"), await cache("b")]).toEqual(["hit", "hit"]);
    expect((await call("POST", "/v1/s/invalidate", json({ tags: ["t"] }))).status).toBe(200);
    expect([await cache("a"), await cache("b")]).toEqual(["miss", "hit"]);
    expect((await call("POST", "/v1/s/invalidate", json({ tags: ["u"], scope: "local" }))).status).toBe(200);
    expect([await cache("a"), await cache("b")]).toEqual(["hit", "miss"]);
  });

  it("CO9 an export carries them to another space", async () => {
    const { call } = coreBed();
    await call("PUT", "/v1/s/keys/a?tags=t,u", { body: "v" });
    const exported = await textOf(await call("GET", "/v1/s/export"));
    expect(exported).toContain('"tags":["t","u"]');
    await textOf(await call("POST", "/v1/copy/import", { body: exported }));
    expect(await textOf(await call("GET", "/v1/copy/export"))).toBe(exported);
  });

  it("CO7 warms what is registered: the reads after it are hits", async () => {
    const { call } = coreBed();
    await call("PUT", "/v1/s/registrations/k*", json({}));
    const lines = Array.from({ length: 120 }, (_, i) => JSON.stringify({ key: `k${i}`, text: "v" }));
    await textOf(await call("POST", "/v1/s/import", { body: lines.join("\n") }));
    await call("POST", "/v1/s/invalidate", json({ prefix: "" }));
    const report = await textOf(await call("POST", "/v1/s/warmup", json({ width: 2 })));
    expect(JSON.parse(report.trim().split("\n").at(-1) ?? "")).toEqual({
      done: { loaded: 120, failed: 0, total: 120 },
    });
    for (const i of [0, 60, 119]) {
      expect((await call("GET", `/v1/s/keys/k${i}`)).headers.get("Warp-Cache")).toBe("hit");
    }
  });

  it("CO5 a policy is kept as it was sent; what contradicts itself is refused and named", async () => {
    const { call } = coreBed();
    const policy = {
      cacheTtlMs: 60_000,
      graceMs: 3_600_000,
      softTimeoutMs: 200,
      hardTimeoutMs: 5_000,
      eagerRefresh: 0.2,
      sliding: true,
      maxLifeMs: 600_000,
      jitter: 0.1,
      negativeTtlMs: 1_000,
      history: { versions: 3, ageMs: 60_000 },
    };
    const put = await call("PUT", "/v1/s/registrations/p*", json(policy));
    expect(await put.json()).toMatchObject(policy);
    expect((await call("PUT", "/v1/s/registrations/p*", json(policy))).status).toBe(200);
    for (const [body, field] of [
      [{ softTimeoutMs: 5 }, "softTimeoutMs"],
      [{ sliding: true }, "sliding"],
      [{ mode: "strong", graceMs: 5 }, "graceMs"],
      [{ graceMs: 0 }, "graceMs"],
      [{ eagerRefresh: 1 }, "eagerRefresh"],
      [{ jitter: 0.6 }, "jitter"],
      [{ kvTtlMs: 59_999 }, "kvTtlMs"],
      [{ history: {} }, "history"],
      [{ adaptive: { kind: "multiplicative", factor: 1, minTtlMs: 1, maxTtlMs: 2 } }, "adaptive.factor"],
    ] as const) {
      const problem = await problemOf(await call("PUT", "/v1/s/registrations/q*", json(body)));
      expect(problem, field).toMatchObject({ code: "invalid_registration", details: { field } });
      expect(problem.detail).toContain(field);
    }
  });
});

import { describe, expect, it } from "vitest";
import { type ErrorCode, errorCodes, WarpError } from "../../src/errors.ts";
import { readHttpConfig } from "../../src/http/config.ts";
import { problems } from "../../src/http/problem.ts";
import { fakeBed, problemOf } from "./bed.ts";

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

describe("routes", () => {
  it.each([
    ["GET", "/nope"],
    ["GET", "/v1"],
    ["GET", "/v1/"],
    ["GET", "/v1//keys/a"],
    ["GET", "/v1/s/"],
    ["GET", "/v1/s/nope"],
    ["GET", "/v2/s/keys/a"],
    ["GET", "/v1/s/batch/"],
    ["GET", "/v1/s/operations"],
    ["GET", "/v1/s/operations/a/b"],
    ["POST", "/tokens/"],
    ["GET", "//v1/s"],
  ])("unknown: %s %s", async (method, path) => {
    const { call } = fakeBed();
    const response = await call(method, path);
    expect(response.status).toBe(404);
    expect((await problemOf(response)).code).toBe("route_not_found");
  });

  it.each([
    ["PATCH", "/v1/s/keys/a", "GET, HEAD, PUT, POST, DELETE, OPTIONS"],
    ["PROPFIND", "/v1/s/keys/a/b", "GET, HEAD, PUT, POST, DELETE, OPTIONS"],
    ["DELETE", "/v1/s/keys", "GET, HEAD, OPTIONS"],
    ["GET", "/v1/s/txn", "POST, OPTIONS"],
    ["POST", "/v1/s/operations/a", "GET, HEAD, OPTIONS"],
    ["GET", "/v1/s/operations/a/seal", "POST, OPTIONS"],
    ["GET", "/v1/s/batch", "POST, OPTIONS"],
    ["HEAD", "/v1/s/batch", "POST, OPTIONS"],
    ["POST", "/v1/s", "GET, HEAD, PUT, DELETE, OPTIONS"],
    ["PUT", "/v1/s/registrations", "GET, HEAD, OPTIONS"],
    ["GET", "/tokens", "POST, OPTIONS"],
    ["POST", "/healthz", "GET, HEAD, OPTIONS"],
  ])("wrong method: %s %s", async (method, path, allow) => {
    const { call } = fakeBed();
    const response = await call(method, path);
    expect(response.status).toBe(405);
    expect(response.headers.get("Allow")).toBe(allow);
    if (method !== "HEAD") expect((await problemOf(response)).code).toBe("method_not_allowed");
  });

  it.each(["UPPER", "-a", "a-", "a_b%2Fc", "x".repeat(65), "a%20b", "%C3%A9"])(
    "malformed space %s",
    async (space) => {
      const { call } = fakeBed();
      expect((await problemOf(await call("GET", `/v1/${space}/keys/a`))).code).toBe("invalid_space");
      expect((await problemOf(await call("GET", "/v1/%zz/keys/a"))).code).toBe("invalid_encoding");
    },
  );

  it("an encoded letter of a space's name is that letter", async () => {
    const { call } = fakeBed();
    await call("PUT", "/v1/s/keys/a", { body: "v" });
    expect((await call("GET", "/v1/%73/keys/a")).status).toBe(200);
  });

  it("gives or takes a request id", async () => {
    const { call } = fakeBed();
    const ids = new Set<string | null>();
    for (let i = 0; i < 100; i++) ids.add((await call("GET", "/v1/s/keys/a")).headers.get("Warp-Request-Id"));
    expect(ids.size).toBe(100);
    const given = await call("GET", "/v1/s/keys/a", { headers: { "Warp-Request-Id": "My.id-1" } });
    expect(given.headers.get("Warp-Request-Id")).toBe("My.id-1");
    expect(await problemOf(given)).toMatchObject({ requestId: "My.id-1" });
    for (const bad of ["", "a b", "x".repeat(65), "a\u00e9"]) {
      const response = await call("GET", "/v1/s/keys/a", { headers: { "Warp-Request-Id": bad } });
      expect((await problemOf(response)).code).toBe("invalid_argument");
    }
  });
});

describe("spaces over HTTP", () => {
  it("creates, confirms, conflicts, shows, deletes", async () => {
    const { call } = fakeBed();
    expect((await problemOf(await call("GET", "/v1/s"))).code).toBe("space_not_found");
    const created = await call("PUT", "/v1/s", json({ shards: 4, strict: true }));
    expect(created.status).toBe(201);
    expect(await created.json()).toMatchObject({ name: "s", shards: 4, strict: true, created: true });
    expect((await call("PUT", "/v1/s", json({ shards: 4, strict: true }))).status).toBe(200);
    const conflict = await call("PUT", "/v1/s", json({ shards: 5, strict: true }));
    expect(conflict.status).toBe(409);
    expect((await problemOf(conflict)).code).toBe("space_conflict");
    expect(await (await call("GET", "/v1/s")).json()).toMatchObject({
      name: "s",
      shards: 4,
      usage: { keys: 0 },
    });
    expect((await call("DELETE", "/v1/s")).status).toBe(200);
    expect((await call("DELETE", "/v1/s")).status).toBe(404);
    expect((await call("PUT", "/v1/t")).status).toBe(201);
  });

  it("CO4 the node that deleted a space does not answer from its copies", async () => {
    const { call, spaces } = fakeBed();
    const dropped: object[] = [];
    await call("PUT", "/v1/s");
    await call("PUT", "/v1/s/keys/a", { body: "v" });
    const fresh = spaces.warp.bind(spaces);
    spaces.warp = (space) =>
      Object.assign(fresh(space), { invalidateLocal: (target: object) => void dropped.push(target) });
    await call("DELETE", "/v1/s");
    expect(dropped).toEqual([{ prefix: "" }]);
  });

  it.each([
    [{ shards: 0 }, "invalid_argument"],
    [{ shards: 257 }, "invalid_argument"],
    [{ shards: 1.5 }, "invalid_argument"],
    [{ shards: "2" }, "invalid_argument"],
    [{ strict: "yes" }, "invalid_argument"],
    [{ region: "eu" }, "invalid_argument"],
    [[], "invalid_argument"],
    [null, "invalid_argument"],
  ])("refuses %j with %s", async (body, code) => {
    const { call } = fakeBed();
    expect((await problemOf(await call("PUT", "/v1/s", json(body)))).code).toBe(code);
  });
});

describe("registrations over HTTP", () => {
  const path = "/v1/s/registrations/user:*";

  it("registers, confirms, conflicts, changes by version, removes", async () => {
    const { call } = fakeBed();
    const created = await call("PUT", path, json({ mode: "strong" }));
    expect(created.status).toBe(201);
    const etag = created.headers.get("ETag") ?? "";
    expect(await created.json()).toMatchObject({ pattern: "user:*", mode: "strong", source: "space" });
    expect((await problemOf(await call("PUT", path, json({ mode: "local" })))).code).toBe(
      "registration_conflict",
    );
    const headers = { "If-Match": etag, "Content-Type": "application/json" };
    expect((await call("PUT", path, { body: '{"mode":"local"}', headers })).status).toBe(200);
    expect(await (await call("GET", path)).json()).toMatchObject({ mode: "local" });
    expect(await (await call("GET", "/v1/s/registrations")).json()).toMatchObject({
      registrations: [{ pattern: "user:*" }],
    });
    expect((await call("DELETE", path)).status).toBe(200);
    expect((await problemOf(await call("DELETE", path))).code).toBe("registration_not_found");
    expect((await problemOf(await call("GET", path))).code).toBe("registration_not_found");
  });

  it("takes any key as pattern, slashes included", async () => {
    const { call, spaces } = fakeBed();
    expect((await call("PUT", "/v1/s/registrations/a/b%2Fc/*")).status).toBe(201);
    expect([...spaces.warp("s").registered.keys()]).toEqual(["a/b/c/*"]);
    expect((await problemOf(await call("PUT", "/v1/s/registrations/"))).code).toBe("invalid_pattern");
    expect((await problemOf(await call("PUT", `/v1/s/registrations/${"x".repeat(514)}`))).code).toBe(
      "invalid_pattern",
    );
  });

  it.each([
    [{ mode: "quantum" }, {}, "invalid_registration"],
    [{ cacheTtlMs: 0 }, {}, "invalid_ttl"],
    [{ maxStalenessMs: 3_600_001 }, {}, "invalid_registration"],
    [{ ttl: 5 }, {}, "invalid_argument"],
    [{}, { "If-Match": '"x"' }, "invalid_version"],
    [{}, { "If-Match": "*" }, "invalid_version"],
    [{}, { "If-Match": '"99999999999999999999"' }, "invalid_version"],
    [{}, { "If-Match": "7" }, "invalid_argument"],
  ])("refuses %j %j with %s", async (body, headers, code) => {
    const { call } = fakeBed();
    const init = { body: JSON.stringify(body), headers: { ...headers, "Content-Type": "application/json" } };
    expect((await problemOf(await call("PUT", path, init))).code).toBe(code);
  });
});

describe("problems", () => {
  it.each(errorCodes.map((code) => [code]))(
    "%s is a problem with its status, outcome and advice",
    async (code: ErrorCode) => {
      const { call, spaces } = fakeBed();
      spaces.warp("s").faults.push(
        new WarpError(code, "what happened", {
          retryAfterMs: 1_500,
          outcome: "unknown",
          details: { max: 5 },
        }),
      );
      const response = await call("PUT", "/v1/s/keys/a", { body: "v" });
      expect(response.status).toBe(problems[code].status);
      expect(response.headers.get("Retry-After")).toBe("2");
      expect(response.headers.get("Warp-Op-Id")).not.toBeNull();
      expect(await problemOf(response)).toMatchObject({
        type: `/errors#${code}`,
        title: problems[code].title,
        detail: "what happened",
        code,
        outcome: "unknown",
        retryAfterMs: 1_500,
        details: { max: 5 },
      });
    },
  );

  it("OU1 what nobody expected is internal, of unknown outcome unless it is a read, logged under its request id, and keeps its words to itself", async () => {
    const { call, spaces, logged } = fakeBed();
    for (const thrown of [new Error("private words"), "private words", undefined]) {
      const warp = spaces.warp("s");
      const fail = async () => {
        throw thrown;
      };
      Object.assign(warp, { lookup: fail, set: fail });
      const read = await problemOf(await call("GET", "/v1/s/keys/a"));
      expect(read).toMatchObject({ code: "internal", status: 500, outcome: "fail", retryable: false });
      const problem = await problemOf(await call("PUT", "/v1/s/keys/a", { body: "v" }));
      expect(problem).toMatchObject({ code: "internal", status: 500, outcome: "unknown", retryable: false });
      expect(JSON.stringify(problem)).not.toContain("private");
      expect(logged.at(-1)?.facts).toMatchObject({ requestId: problem.requestId, error: thrown });
    }
    expect(logged).toHaveLength(6);
  });

  it("OU1 a code that only a newer shard knows is internal here, and does not take the answer with it", async () => {
    const { call, deployment, spaces, logged } = fakeBed();
    const newer = WarpError.fromData({
      code: "code_of_tomorrow" as ErrorCode,
      message: "what happened",
      outcome: "unknown",
      retryable: false,
    });
    const fail = async () => {
      throw newer;
    };
    Object.assign(spaces.warp("s"), { set: fail });
    const problem = await problemOf(await call("PUT", "/v1/s/keys/a", { body: "v" }));
    expect(problem).toMatchObject({ code: "internal", status: 500, outcome: "unknown" });
    expect(logged.at(-1)?.facts).toMatchObject({ requestId: problem.requestId, error: newer });
    const { watching } = deployment;
    Object.assign(deployment, {
      watching: {
        ...watching,
        open: () => ({
          watch: async () => ({
            cursor: "c",
            current: Promise.resolve(),
            end: () => undefined,
            [Symbol.asyncIterator]: () => ({ next: fail }),
          }),
        }),
      },
    });
    const stream = await (await call("GET", "/v1/s/watch?key=a")).text();
    expect(stream).toMatch(/\nevent: end\ndata: \{[^\n]*"status":500,[^\n]*"code":"internal"/);
  });
});

describe("settings", () => {
  const secret = "0123456789abcdef";

  it("are read from the environment", () => {
    expect(readHttpConfig({})).toEqual({
      secrets: [],
      open: false,
      origins: [],
      maxValueBytes: 1_048_576,
      rotateMs: 600_000,
      version: "0.0.0",
    });
    expect(
      readHttpConfig({
        WARP_SECRET: secret,
        WARP_SECRET_PREVIOUS: `${secret}x`,
        WARP_OPEN: "loopback",
        WARP_CORS_ORIGINS: "https://a.example, http://localhost:1",
        WARP_MAX_VALUE_BYTES: "1000",
        WARP_SSE_ROTATE_MS: "2000",
      }),
    ).toMatchObject({
      secrets: [secret, `${secret}x`],
      open: false,
      origins: ["https://a.example", "http://localhost:1"],
      maxValueBytes: 1_000,
      rotateMs: 2_000,
    });
    expect(readHttpConfig({ WARP_OPEN: "loopback", WARP_SECRET: "" }).open).toBe(true);
  });

  it.each([
    [{ WARP_SECRET: "short" }],
    [{ WARP_SECRET: "has spaces in it, many" }],
    [{ WARP_SECRET_PREVIOUS: secret }],
    [{ WARP_OPEN: "true" }],
    [{ WARP_CORS_ORIGINS: "example.com" }],
    [{ WARP_CORS_ORIGINS: "https://a.example/" }],
    [{ WARP_MAX_VALUE_BYTES: "1MB" }],
    [{ WARP_MAX_VALUE_BYTES: "0" }],
    [{ WARP_MAX_VALUE_BYTES: "1900001" }],
    [{ WARP_SSE_ROTATE_MS: "999" }],
    [{ WARP_SSE_ROTATE_MS: "86400001" }],
    [{ WARP_SSE_ROTATE_MS: "1e9" }],
  ])("%j is refused by name, without a secret in the message", (environment) => {
    const [name = "", value = ""] = Object.entries(environment)[0] ?? [];
    expect(() => readHttpConfig(environment)).toThrow(name);
    if (name.startsWith("WARP_SECRET")) expect(() => readHttpConfig(environment)).not.toThrow(value);
  });
});

import { describe, expect, it } from "vitest";
import { fakeBed, problemOf } from "./bed.ts";

const post = (body: unknown): RequestInit => ({
  body: typeof body === "string" ? body : JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

describe("batch over HTTP", () => {
  it("gives each operation its own verdict, in order", async () => {
    const { call } = fakeBed({ maxValueBytes: 50 });
    await call("PUT", "/v1/s/keys/old", { body: "v" });
    const response = await call(
      "POST",
      "/v1/s/batch",
      post({
        operations: [
          { op: "set", key: "a", json: { x: 1 } },
          { op: "get", key: "a" },
          { op: "get", key: "none" },
          { op: "set", key: "", text: "v" },
          { op: "set", key: "b", text: "v", expiresInMs: -1 },
          { op: "set", key: "c", text: "v".repeat(51) },
          { op: "set", key: "old", text: "w", ifNoneMatch: "*" },
          { op: "set", key: "d" },
          { op: "delete", key: "old", opId: "rubbish" },
          { op: "delete", key: "old", ifMatch: ["x"] },
          { op: "delete", key: "old", ifMatch: 5 },
          { op: "delete", key: "old", ifMatch: "*" },
          { op: "invalidate", key: "a" },
          { op: "set", key: "../..", base64: "/w==" },
        ],
      }),
    );
    expect(response.status).toBe(200);
    const { results } = (await response.json()) as {
      results: { op: string; ok: boolean; error?: { code: string } }[];
    };
    expect(results.map((result) => (result.ok ? "ok" : result.error?.code))).toEqual([
      "ok",
      "ok",
      "ok",
      "invalid_key",
      "invalid_ttl",
      "value_too_large",
      "precondition_failed",
      "invalid_argument",
      "invalid_op_id",
      "precondition_failed",
      "invalid_argument",
      "ok",
      "ok",
      "ok",
    ]);
    expect(results[1]).toMatchObject({
      op: "get",
      key: "a",
      found: true,
      json: { x: 1 },
      contentType: "application/json",
    });
    expect(results[2]).toMatchObject({ op: "get", found: false, version: 0 });
    expect(results[11]).toMatchObject({ existed: true, replayed: false });
  });

  it.each([
    ["{", "invalid_json"],
    ["", "invalid_argument"],
    ["[]", "invalid_argument"],
    [{ operations: {} }, "invalid_argument"],
    [{ operations: [] }, "invalid_argument"],
    [{ operations: [5] }, "invalid_argument"],
    [{ operations: [{ op: "merge", key: "a", replace: true }] }, "invalid_argument"],
    [{ operations: [{ op: "get" }] }, "invalid_key"],
    [{ operations: [{ op: "get", key: 5 }] }, "invalid_key"],
    [{ operations: [{ op: "get", key: "a", values: true }] }, "invalid_argument"],
    [{ operations: [{ op: "set", key: "a", text: 5 }] }, "invalid_argument"],
    [{ operations: [{ op: "get", key: "a" }], atomic: true }, "invalid_argument"],
    [{ operations: Array.from({ length: 1_001 }, () => ({ op: "get", key: "a" })) }, "batch_too_large"],
  ])("refuses the whole of a malformed batch, nothing done: %j", async (body, code) => {
    const { call, spaces } = fakeBed();
    const withSet =
      typeof body === "object" && Array.isArray((body as { operations: unknown }).operations)
        ? { ...body, operations: [...((body as { operations: unknown[] }).operations ?? [])] }
        : body;
    const response = await call("POST", "/v1/s/batch", post(withSet));
    expect((await problemOf(response)).code).toBe(code);
    expect(spaces.warp("s").batches).toEqual([]);
  });

  it("names the operation that is malformed", async () => {
    const { call } = fakeBed();
    const response = await call(
      "POST",
      "/v1/s/batch",
      post({
        operations: [
          { op: "get", key: "a" },
          { op: "nope", key: "b" },
        ],
      }),
    );
    expect(await problemOf(response)).toMatchObject({ details: { operation: 1 } });
  });

  it("bounds the body, and the media type is JSON", async () => {
    const { call } = fakeBed();
    const large = await call("POST", "/v1/s/batch", post(`"${"x".repeat(8 * 1_048_576)}"`));
    expect(large.status).toBe(413);
    expect((await problemOf(large)).code).toBe("body_too_large");
    const form = await call("POST", "/v1/s/batch", {
      body: "a=b",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    });
    expect((await problemOf(form)).code).toBe("unsupported_media_type");
  });

  it("a batch whose values are too much answers the rest of its gets with an error of their own", async () => {
    const { call } = fakeBed();
    const body = new Uint8Array(1_000_000);
    await call("PUT", "/v1/s/keys/a", { body });
    const operations = Array.from({ length: 10 }, () => ({ op: "get", key: "a" }));
    const response = await call("POST", "/v1/s/batch", post({ operations }));
    const { results } = (await response.json()) as { results: { ok: boolean; error?: { code: string } }[] };
    expect(results.filter((result) => result.ok)).toHaveLength(8);
    expect(results.at(-1)?.error?.code).toBe("body_too_large");
  });
});

describe("invalidate over HTTP", () => {
  it("takes keys or a prefix, global or local", async () => {
    const { call } = fakeBed();
    const status = async (body: unknown) => (await call("POST", "/v1/s/invalidate", post(body))).status;
    expect(await status({ keys: ["a"] })).toBe(200);
    expect(await status({ prefix: "" })).toBe(200);
    expect(await status({ prefix: "a", scope: "local" })).toBe(200);
    const answer = await call("POST", "/v1/s/invalidate", post({ prefix: "a" }));
    expect(await answer.json()).toMatchObject({ scope: "global", revisions: [expect.any(String)] });
  });

  it.each([
    [{}, "invalid_argument"],
    [{ keys: ["a"], prefix: "b" }, "invalid_argument"],
    [{ keys: [] }, "invalid_argument"],
    [{ keys: [""] }, "invalid_key"],
    [{ keys: "a" }, "invalid_argument"],
    [{ prefix: "x".repeat(513) }, "invalid_key"],
    [{ prefix: "a", scope: "galaxy" }, "invalid_argument"],
    [{ prefix: "a", tags: ["x"] }, "invalid_argument"],
    [{ keys: Array.from({ length: 1_001 }, (_, i) => `k${i}`) }, "batch_too_large"],
  ])("refuses %j with %s", async (body, code) => {
    const { call } = fakeBed();
    expect((await problemOf(await call("POST", "/v1/s/invalidate", post(body)))).code).toBe(code);
  });
});

import { describe, expect, it } from "vitest";
import { fakeBed, problemOf } from "./bed.ts";

const text = (body: string, type = "text/plain"): RequestInit => ({
  body,
  headers: { "Content-Type": type },
});

describe("keys over HTTP", () => {
  it("gives back the very bytes and the content type, with a version, a tag and a revision", async () => {
    const { call } = fakeBed();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const put = await call("PUT", "/v1/s/keys/a", {
      body: bytes,
      headers: { "Content-Type": "image/x-odd;a=b" },
    });
    expect(put.status).toBe(201);
    const answer = (await put.json()) as { opId: string };
    expect(answer).toMatchObject({ key: "a", version: 1, created: true, replayed: false });
    expect(put.headers.get("Warp-Op-Id")).toBe(answer.opId);
    const got = await call("GET", "/v1/s/keys/a");
    expect(got.status).toBe(200);
    expect(new Uint8Array(await got.arrayBuffer())).toEqual(bytes);
    expect(got.headers.get("Content-Type")).toBe("image/x-odd;a=b");
    expect(got.headers.get("ETag")).toBe(put.headers.get("ETag"));
    expect(got.headers.get("Warp-Version")).toBe("1");
    expect(got.headers.get("Warp-Revision")).toMatch(/^[0-9a-f]{16}\.1$/);
    expect(got.headers.get("Warp-Cache")).toBe("hit");
    expect(got.headers.get("Warp-Request-Id")).toMatch(/^[A-Za-z0-9.-]+$/);
    expect(got.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(got.headers.get("Content-Security-Policy")).toContain("sandbox");
    expect((await call("PUT", "/v1/s/keys/a", text("b"))).status).toBe(200);
  });

  it("HEAD says what GET says, without the bytes", async () => {
    const { call } = fakeBed();
    await call("PUT", "/v1/s/keys/a", text("four"));
    const head = await call("HEAD", "/v1/s/keys/a");
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    expect(head.headers.get("Content-Length")).toBe("4");
    expect(head.headers.get("Content-Type")).toBe("text/plain");
    expect((await call("HEAD", "/v1/s/keys/none")).status).toBe(404);
  });

  it.each([
    ["a%2Fb", "a/b"],
    ["a/b", "a/b"],
    ["%00", "\0"],
    ["%2e", "."],
    ["a+b", "a+b"],
    ["a//b", "a//b"],
    ["/", "/"],
    ["a/", "a/"],
    ["%25", "%"],
    ["%2525", "%25"],
    ["%C3%A9%F0%9F%98%80", "é😀"],
    ["%EF%BF%BD", "\ufffd"],
    ["a%3Fb%23c", "a?b#c"],
    ["keys/keys/", "keys/keys/"],
    ["x".repeat(512), "x".repeat(512)],
    ["%78".repeat(512), "x".repeat(512)],
  ])("decodes the key in the path exactly once: %s", async (raw, key) => {
    const { call, spaces } = fakeBed();
    // Some clients make one segment of "%2e" vanish; what does arrive is taken as it is.
    const path = raw === "%2e" ? "/v1/s/keys/a%2e" : `/v1/s/keys/${raw}`;
    expect((await call("PUT", path, text("v"))).status).toBe(201);
    expect([...spaces.warp("s").entries.keys()]).toEqual([raw === "%2e" ? "a." : key]);
    expect((await call("GET", path)).status).toBe(200);
  });

  it.each([
    ["%", "invalid_encoding"],
    ["%zz", "invalid_encoding"],
    ["%C3", "invalid_encoding"],
    ["%C0%80", "invalid_encoding"],
    ["%ED%A0%80", "invalid_encoding"],
    ["%FF", "invalid_encoding"],
    ["", "invalid_key"],
    ["x".repeat(513), "invalid_key"],
    ["%C3%A9".repeat(257), "invalid_key"],
    ["x".repeat(5_000), "invalid_key"],
  ])("refuses the key %s with %s", async (raw, code) => {
    const { call } = fakeBed();
    for (const method of ["GET", "PUT", "DELETE"]) {
      const response = await call(method, `/v1/s/keys/${raw}`);
      expect(response.status).toBe(400);
      expect((await problemOf(response)).code).toBe(code);
    }
  });

  it("deletes, and says whether there was anything", async () => {
    const { call } = fakeBed();
    await call("PUT", "/v1/s/keys/a", text("v"));
    const first = await call("DELETE", "/v1/s/keys/a");
    expect(first.status).toBe(200);
    expect(await first.json()).toMatchObject({ key: "a", existed: true, version: 0 });
    expect(await (await call("DELETE", "/v1/s/keys/a")).json()).toMatchObject({ existed: false });
    const gone = await call("GET", "/v1/s/keys/a");
    expect(gone.status).toBe(404);
    expect((await problemOf(gone)).code).toBe("not_found");
    expect(gone.headers.get("Warp-Version")).toBe("0");
    expect(gone.headers.get("Warp-Revision")).not.toBeNull();
  });

  it("answers the preconditions of RFC 9110", async () => {
    const { call } = fakeBed();
    const etag = (await call("PUT", "/v1/s/keys/a", text("v"))).headers.get("ETag") ?? "";
    const status = async (method: string, path: string, headers: Record<string, string>) =>
      (await call(method, path, { headers, ...(method === "PUT" ? { body: "w" } : {}) })).status;
    const a = "/v1/s/keys/a";
    const none = "/v1/s/keys/none";
    expect(await status("GET", a, { "If-None-Match": etag })).toBe(304);
    expect(await status("GET", a, { "If-None-Match": `"other", W/${etag}` })).toBe(304);
    expect(await status("GET", a, { "If-None-Match": "*" })).toBe(304);
    expect(await status("GET", a, { "If-None-Match": '"other"' })).toBe(200);
    expect(await status("GET", none, { "If-None-Match": "*" })).toBe(404);
    expect(await status("GET", a, { "If-Match": '"other"' })).toBe(412);
    expect(await status("GET", none, { "If-Match": "*" })).toBe(412);
    expect(await status("PUT", a, { "If-Match": `W/${etag}` })).toBe(412);
    expect(await status("PUT", a, { "If-None-Match": "*" })).toBe(412);
    expect(await status("PUT", none, { "If-Match": "*" })).toBe(412);
    expect(await status("DELETE", a, { "If-Match": '"other"' })).toBe(412);
    expect(await status("PUT", a, { "If-Match": `"x" , ,${etag}` })).toBe(200);
    expect(await status("PUT", a, { "If-Match": etag })).toBe(412);
    expect(await status("PUT", none, { "If-None-Match": "*" })).toBe(201);
    expect(await status("DELETE", a, { "If-Match": "*" })).toBe(200);
    for (const header of ["unquoted", '"open', '"a" "b"', ",", 'w/"a"']) {
      expect(await status("PUT", a, { "If-Match": header })).toBe(400);
    }
    expect(await status("PUT", a, { "If-Match": "*", "If-None-Match": "*" })).toBe(400);
  });

  it("keeps an end and tells what is left of it", async () => {
    const { call } = fakeBed();
    await call("PUT", "/v1/s/keys/a?expiresInMs=5000", text("v"));
    expect((await call("GET", "/v1/s/keys/a")).headers.get("Warp-Expires-In-Ms")).toBe("5000");
    for (const ms of ["0", "-1", "1.5", "", "x", "315360000001", "1e3"]) {
      const response = await call("PUT", `/v1/s/keys/a?expiresInMs=${ms}`, text("v"));
      expect((await problemOf(response)).code).toBe("invalid_ttl");
    }
  });

  it("takes an op id and gives it back, on refusals too", async () => {
    const { call } = fakeBed();
    const opId = "01900000-0000-7000-8000-000000000001";
    const headers = { "Warp-Op-Id": opId };
    expect((await call("PUT", "/v1/s/keys/a", { body: "v", headers })).headers.get("Warp-Op-Id")).toBe(opId);
    const refused = await call("PUT", "/v1/s/keys/a", {
      body: "v",
      headers: { ...headers, "If-None-Match": "*" },
    });
    expect(refused.status).toBe(412);
    expect(refused.headers.get("Warp-Op-Id")).toBe(opId);
    for (const bad of ["x", "01900000-0000-4000-8000-000000000001", opId.replace("1", "A")]) {
      const response = await call("PUT", "/v1/s/keys/a", { body: "v", headers: { "Warp-Op-Id": bad } });
      expect((await problemOf(response)).code).toBe("invalid_op_id");
    }
  });

  it("SE3 never holds more of a value than its limit", async () => {
    const { call } = fakeBed({ maxValueBytes: 1_000 });
    expect((await call("PUT", "/v1/s/keys/a", { body: new Uint8Array(1_000) })).status).toBe(201);
    expect((await problemOf(await call("PUT", "/v1/s/keys/a", { body: new Uint8Array(1_001) }))).code).toBe(
      "value_too_large",
    );
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(100));
      },
      cancel() {
        cancelled = true;
      },
    });
    const response = await call("PUT", "/v1/s/keys/a", { body: endless, duplex: "half" } as RequestInit);
    expect(response.status).toBe(413);
    expect((await problemOf(response)).code).toBe("value_too_large");
    expect(pulled).toBeLessThan(15);
    expect(cancelled).toBe(true);
  });

  it("refuses a content type that is none, and encoded bodies", async () => {
    const { call } = fakeBed();
    for (const type of ["x", "text/", `text/${"x".repeat(300)}`, "text/plain; charset", "a/b/c"]) {
      const response = await call("PUT", "/v1/s/keys/a", {
        body: new Uint8Array(1),
        headers: { "Content-Type": type },
      });
      expect((await problemOf(response)).code).toBe("unsupported_media_type");
    }
    const response = await call("PUT", "/v1/s/keys/a", {
      body: "v",
      headers: { "Content-Encoding": "gzip" },
    });
    expect(response.status).toBe(415);
    await call("PUT", "/v1/s/keys/a", { body: new Uint8Array(1) });
    expect((await call("GET", "/v1/s/keys/a")).headers.get("Content-Type")).toBe("application/octet-stream");
  });

  it("refuses what it does not know instead of leaving it out", async () => {
    const { call } = fakeBed();
    for (const [method, path] of [
      ["GET", "/v1/s/keys/a?x=1"],
      ["PUT", "/v1/s/keys/a?expiresinms=1"],
      ["DELETE", "/v1/s/keys/a?force=true"],
    ] as const) {
      const problem = await problemOf(await call(method, path));
      expect(problem.code).toBe("invalid_argument");
      expect(problem.detail).toMatch(/unknown (member|parameter)/);
    }
  });

  it.each(["99", "120001", "x", "-5", "1e3", ""])("refuses the deadline %s", async (ms) => {
    const { call } = fakeBed();
    const response = await call("GET", "/v1/s/keys/a", { headers: { "Warp-Timeout-Ms": ms } });
    expect((await problemOf(response)).code).toBe("invalid_argument");
  });
});

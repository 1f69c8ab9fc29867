import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { fakeBed, problemOf, textOf } from "./bed.ts";

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

describe("versions over HTTP", () => {
  async function written() {
    const bed = fakeBed();
    await bed.call("PUT", "/v1/s/keys/a", { body: "one" });
    await bed.call("PUT", "/v1/s/keys/a", { body: "two" });
    await bed.call("DELETE", "/v1/s/keys/a");
    return bed;
  }

  it("VE2 reads a version, and what was present at a time in each of its forms", async () => {
    const { call } = await written();
    const first = await call("GET", "/v1/s/keys/a?version=1");
    expect(await first.text()).toBe("one");
    expect(first.headers.get("Warp-Version")).toBe("1");
    expect(first.headers.get("Warp-Cache")).toBe("bypass");
    for (const at of ["2000", "1970-01-01T00:00:02Z", "1970-01-01T01:00:02.500%2B01:00"]) {
      expect(await (await call("GET", `/v1/s/keys/a?at=${at}`)).text(), at).toBe("two");
    }
  });

  it("VE4 a deleted version is not found, and stands in the history", async () => {
    const { call } = await written();
    expect((await problemOf(await call("GET", "/v1/s/keys/a?version=3"))).code).toBe("not_found");
    const history = await (await call("GET", "/v1/s/history/a?limit=2")).json();
    expect(history).toMatchObject({
      key: "a",
      versions: [
        { version: 3, kind: "delete", sizeBytes: 0 },
        { version: 2, kind: "set", sizeBytes: 3, contentType: "text/plain;charset=UTF-8" },
      ],
      more: true,
      floor: 1,
    });
    const rest = await (await call("GET", "/v1/s/history/a?before=2")).json();
    expect(rest).toMatchObject({ versions: [{ version: 1 }], more: false });
  });

  it("VE5 a version that is no longer kept is 410, not 404", async () => {
    const { call } = await written();
    const response = await call("GET", "/v1/s/keys/a?version=99");
    expect(response.status).toBe(410);
    expect((await problemOf(response)).code).toBe("version_compacted");
  });

  it("VE2 restores with an op id and a condition", async () => {
    const { call } = await written();
    const restored = await call("POST", "/v1/s/restore/a", json({ version: 1 }));
    expect(restored.status).toBe(200);
    expect(await restored.json()).toMatchObject({ key: "a", version: 4, restored: 1 });
    expect(restored.headers.get("Warp-Op-Id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await (await call("GET", "/v1/s/keys/a")).text()).toBe("one");
    const refused = await call("POST", "/v1/s/restore/a", {
      body: '{"version":1}',
      headers: { "Content-Type": "application/json", "If-None-Match": "*" },
    });
    expect((await problemOf(refused)).code).toBe("precondition_failed");
  });

  it.each([
    ["version=0", "invalid_version"],
    ["version=x", "invalid_version"],
    ["at=yesterday", "invalid_argument"],
    ["at=2026-02-31T00:00:00Z", "invalid_argument"],
    ["at=2026-11-22T10:00:00", "invalid_argument"],
    ["at=-5", "invalid_argument"],
    ["at=", "invalid_argument"],
    ["version=1&at=5", "invalid_argument"],
    ["version=1&allowStale=true", "invalid_argument"],
    ["allowStale=1", "invalid_argument"],
    ["when=1", "invalid_argument"],
  ])("refuses ?%s with %s", async (query, code) => {
    const { call } = await written();
    expect((await problemOf(await call("GET", `/v1/s/keys/a?${query}`))).code).toBe(code);
  });

  it.each([
    [{}, "invalid_version"],
    [{ version: 0 }, "invalid_version"],
    [{ version: "1" }, "invalid_version"],
    [{ version: 1, more: 1 }, "invalid_argument"],
  ])("refuses to restore %j with %s", async (body, code) => {
    const { call } = await written();
    expect((await problemOf(await call("POST", "/v1/s/restore/a", json(body)))).code).toBe(code);
  });

  it("SE2 a token without the verb, or outside its prefixes, sees and restores nothing", async () => {
    const { call } = await written();
    const mint = async (verbs: string[], prefixes: string[]) => {
      const response = await call("POST", "/tokens", json({ subject: "t", spaces: ["s"], prefixes, verbs }));
      return ((await response.json()) as { token: string }).token;
    };
    const outside = await mint(["read", "write"], ["b"]);
    expect((await call("GET", "/v1/s/history/a", { bearer: outside })).status).toBe(403);
    expect((await call("GET", "/v1/s/keys/a?version=1", { bearer: outside })).status).toBe(403);
    expect((await call("POST", "/v1/s/restore/a", { ...json({ version: 1 }), bearer: outside })).status).toBe(
      403,
    );
    const reader = await mint(["read"], ["a"]);
    expect((await call("GET", "/v1/s/history/a", { bearer: reader })).status).toBe(200);
    expect((await call("POST", "/v1/s/restore/a", { bearer: reader, body: "{}" })).status).toBe(403);
  });
});

describe("stale reads over HTTP", () => {
  it("CO6 a stale answer says so and how old it is; allowStale is passed on", async () => {
    const { call, spaces } = fakeBed();
    await call("PUT", "/v1/s/keys/a", { body: "v" });
    expect((await call("GET", "/v1/s/keys/a")).headers.get("Age")).toBeNull();
    spaces.warp("s").staleMs = 90_500;
    const stale = await call("GET", "/v1/s/keys/a?allowStale=true");
    expect(stale.headers.get("Warp-Cache")).toBe("stale");
    expect(stale.headers.get("Age")).toBe("90");
    expect(spaces.warp("s").reads.map(({ allowStale }) => allowStale)).toEqual([undefined, true]);
  });
});

describe("warmup over HTTP", () => {
  const lines = async (response: Response) =>
    (await textOf(response))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);

  it("CO7 streams progress, names keys that failed, and ends with the counts", async () => {
    const { call, spaces } = fakeBed();
    const fake = spaces.warp("s");
    fake.warming = [
      { loaded: 1, failed: 1, total: 3, errors: [{ key: "b", code: "unavailable" }] },
      { loaded: 2, failed: 1, total: 3, errors: [] },
    ];
    const response = await call("POST", "/v1/s/warmup", json({ patterns: ["a*"], width: 2, limit: 10 }));
    expect(response.headers.get("Content-Type")).toBe("application/x-ndjson");
    expect(await lines(response)).toEqual([
      { error: { key: "b", code: "unavailable" } },
      { progress: { loaded: 1, failed: 1, total: 3 } },
      { progress: { loaded: 2, failed: 1, total: 3 } },
      { done: { loaded: 2, failed: 1, total: 3 } },
    ]);
    expect(fake.warmups).toMatchObject([{ patterns: ["a*"], width: 2, limit: 10 }]);
    expect(await lines(await call("POST", "/v1/s/warmup"))).toHaveLength(4);
  });

  it("what fails before the first step is a problem; what breaks in the middle breaks the stream", async () => {
    const { call, spaces } = fakeBed();
    const fake = spaces.warp("s");
    fake.warming = [new WarpError("unavailable", "gone")];
    expect((await problemOf(await call("POST", "/v1/s/warmup"))).code).toBe("unavailable");
    fake.warming = [{ loaded: 1, failed: 0, errors: [] }, new WarpError("unavailable", "gone")];
    await expect(textOf(await call("POST", "/v1/s/warmup"))).rejects.toThrow("gone");
  });

  it("a caller that goes away ends it", async () => {
    const { call, spaces } = fakeBed();
    const fake = spaces.warp("s");
    fake.warming = [
      { loaded: 1, failed: 0, errors: [] },
      { loaded: 2, failed: 0, errors: [] },
    ];
    const response = await call("POST", "/v1/s/warmup");
    await response.body?.cancel();
    expect(fake.warmups[0]?.signal?.aborted).toBe(true);
  });

  it.each([
    [{ patterns: [] }, "invalid_argument"],
    [{ patterns: [""] }, "invalid_pattern"],
    [{ width: 0 }, "invalid_argument"],
    [{ limit: 0 }, "invalid_argument"],
    [{ keys: ["a"] }, "invalid_argument"],
  ])("refuses %j with %s", async (body, code) => {
    const { call } = fakeBed();
    expect((await problemOf(await call("POST", "/v1/s/warmup", json(body)))).code).toBe(code);
  });

  it("SE2 a token warms its own prefixes only", async () => {
    const { call } = fakeBed();
    const minted = await call(
      "POST",
      "/tokens",
      json({ subject: "t", spaces: ["s"], prefixes: ["a"], verbs: ["read"] }),
    );
    const { token: bearer } = (await minted.json()) as { token: string };
    const status = async (body: object) =>
      (await call("POST", "/v1/s/warmup", { ...json(body), bearer })).status;
    expect(await status({ patterns: ["a*"] })).toBe(200);
    expect(await status({ patterns: ["*"] })).toBe(403);
    expect(await status({})).toBe(403);
  });
});

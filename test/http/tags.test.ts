import { describe, expect, it } from "vitest";
import { fakeBed, problemOf, textOf } from "./bed.ts";

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

describe("CO9 tags over HTTP", () => {
  it("CO9 a put, a batch and an import set them; list, batch, export and history show them", async () => {
    const { call, spaces } = fakeBed();
    await call("PUT", "/v1/s/keys/a?tags=x,y%20z", { body: "v" });
    await call(
      "POST",
      "/v1/s/batch",
      json({ operations: [{ op: "set", key: "b", text: "v", tags: ["x"] }] }),
    );
    const imported = await call("POST", "/v1/s/import", {
      body: '{"key":"c","text":"v","tags":["a,b"]}\n',
    });
    expect(await textOf(imported)).toContain('"imported":1');
    const { entries } = spaces.warp("s");
    expect(["a", "b", "c"].map((key) => entries.get(key)?.tags)).toEqual([["x", "y z"], ["x"], ["a,b"]]);
    const list = (await (await call("GET", "/v1/s/keys")).json()) as { items: { tags?: string[] }[] };
    expect(list.items.map(({ tags }) => tags)).toEqual([["x", "y z"], ["x"], ["a,b"]]);
    const exported = await textOf(await call("GET", "/v1/s/export"));
    await textOf(await call("POST", "/v1/copy/import", { body: exported }));
    expect(await textOf(await call("GET", "/v1/copy/export"))).toBe(exported);
    const got = await call("POST", "/v1/s/batch", json({ operations: [{ op: "get", key: "a" }] }));
    expect(await got.json()).toMatchObject({ results: [{ tags: ["x", "y z"] }] });
  });

  it("CO9 invalidates by them, which wants a token for the whole space", async () => {
    const { call, spaces } = fakeBed();
    const response = await call("POST", "/v1/s/invalidate", json({ tags: ["x", "y"] }));
    expect(response.status).toBe(200);
    expect(spaces.warp("s").invalidated).toEqual([{ tags: ["x", "y"] }]);
    const minted = await call(
      "POST",
      "/tokens",
      json({ subject: "t", spaces: ["s"], prefixes: ["a"], verbs: ["invalidate"] }),
    );
    const { token: bearer } = (await minted.json()) as { token: string };
    expect((await call("POST", "/v1/s/invalidate", { ...json({ tags: ["x"] }), bearer })).status).toBe(403);
  });

  const many = Array.from({ length: 17 }, (_, i) => `t${i}`);
  it.each([
    [[]],
    [[""]],
    [["x", "x"]],
    [["x".repeat(129)]],
    [["\u00e9".repeat(65)]],
    [["\ud800"]],
    [many],
    ["x"],
    [[1]],
  ])("refuses %j everywhere", async (tags) => {
    const { call, spaces } = fakeBed();
    const code = async (response: Response) => (await problemOf(response)).code;
    expect(await code(await call("POST", "/v1/s/invalidate", json({ tags })))).toBe("invalid_argument");
    const body = JSON.stringify({ operations: [{ op: "set", key: "a", text: "v", tags }] });
    const batch = await call("POST", "/v1/s/batch", { ...json({}), body });
    if (Array.isArray(tags) && tags.length > 0) {
      const text = await batch.text();
      expect(text).toContain("invalid_argument");
      const report = await textOf(
        await call("POST", "/v1/s/import", { body: JSON.stringify({ key: "a", text: "v", tags }) }),
      );
      expect(report).toContain("invalid_argument");
      if (tags.every((tag) => typeof tag === "string" && tag.isWellFormed())) {
        const put = await call("PUT", `/v1/s/keys/a?tags=${encodeURIComponent(tags.join(","))}`, {
          body: "v",
        });
        expect(await code(put)).toBe("invalid_argument");
      }
      expect(spaces.warp("s").entries.size).toBe(0);
    }
  });

  it.each([{}, { tags: ["a"], prefix: "" }, { tags: ["a"], keys: ["b"] }])(
    "an invalidation names exactly one target: %j",
    async (body) => {
      const { call } = fakeBed();
      const problem = await problemOf(await call("POST", "/v1/s/invalidate", json(body)));
      expect(problem).toMatchObject({ code: "invalid_argument" });
    },
  );
});

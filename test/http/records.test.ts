import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isObject, readValue, writeValue } from "../../src/http/record.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { fakeBed, problemOf, textOf } from "./bed.ts";

const reread = (written: string) => {
  const record: unknown = JSON.parse(`{${written}}`);
  if (!isObject(record)) throw new Error("no object");
  return readValue(record, 10_000_000);
};

describe("the one JSON form of values", () => {
  it("brings any bytes back unchanged, whatever they claim to be", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map(utf8),
      fc.string({ unit: "binary" }).map(utf8),
      fc
        .constantFrom(
          '{"2":1,"1":2}',
          "-0",
          "1e400",
          "1.0",
          ' {"a":1}',
          '"\\u0041"',
          "\ufeff1",
          '{"a":1,"a":2}',
          '{"__proto__":{"a":1}}',
          '"\\ud800"',
          "",
          "\r\n",
          "null",
        )
        .map(utf8),
    );
    const type = fc.constantFrom(
      "application/json",
      "application/problem+json; charset=x",
      "text/plain",
      "a/b",
    );
    fc.assert(
      fc.property(bytes, type, (value, contentType) => {
        const written = writeValue({ bytes: value, contentType });
        expect(written).not.toContain("\n");
        expect(reread(written)).toEqual({ bytes: new Uint8Array(value), contentType });
      }),
      { numRuns: 2_000 },
    );
  });

  it("uses json where the bytes are canonical JSON, text where they are UTF-8, else base64", () => {
    const of = (text: string, contentType: string) => writeValue({ bytes: utf8(text), contentType });
    expect(of('{"a":[1,null]}', "application/json")).toBe(
      '"contentType":"application/json","json":{"a":[1,null]}',
    );
    expect(of('{"a": 1}', "application/json")).toBe('"contentType":"application/json","text":"{\\"a\\": 1}"');
    expect(of('{"a":1}', "text/plain")).toContain('"text":');
    expect(writeValue({ bytes: Uint8Array.of(255), contentType: "a/b" })).toBe(
      '"contentType":"a/b","base64":"/w=="',
    );
  });

  it("refuses what is no value, or two of them", async () => {
    const { call } = fakeBed();
    for (const value of [
      {},
      { text: "a", json: 1 },
      { text: 5 },
      { base64: "a" },
      { base64: "a===" },
      { base64: "YQ==\n" },
      { text: "\ud800" },
      { text: "a", contentType: 7 },
      { text: "a", contentType: "rubbish" },
    ]) {
      const line = JSON.stringify({ key: "k", ...value });
      const response = await call("POST", "/v1/s/import", {
        body: line,
        headers: { "Content-Type": "application/x-ndjson" },
      });
      const last = (await textOf(response)).trim().split("\n").at(-1) ?? "";
      expect(JSON.parse(last), line).toEqual({ done: { lines: 1, imported: 0, failed: 1 } });
    }
  });
});

describe("lists over HTTP", () => {
  it("pages through keys in order, with values if asked", async () => {
    const { call } = fakeBed();
    for (const key of ["b", "a", "c"]) await call("PUT", `/v1/s/keys/${key}`, { body: key });
    const first = (await (await call("GET", "/v1/s/keys?limit=2&values=true")).json()) as {
      items: unknown[];
      cursor: string;
    };
    expect(first.items).toMatchObject([
      { key: "a", text: "a", contentType: "text/plain;charset=UTF-8" },
      { key: "b", text: "b" },
    ]);
    const second = await call("GET", `/v1/s/keys?limit=2&cursor=${encodeURIComponent(first.cursor)}`);
    const page = (await second.json()) as { items: { etag: string }[] };
    expect(page).toMatchObject({
      items: [{ key: "c", version: 3, sizeBytes: 1 }],
      asOf: ["00000000000000aa.3"],
    });
    expect(page).not.toHaveProperty("cursor");
    expect(page.items[0]).not.toHaveProperty("text");
    expect(`"${page.items[0]?.etag}"`).toBe((await call("GET", "/v1/s/keys/c")).headers.get("ETag"));
    expect((await (await call("GET", "/v1/s/keys?prefix=b")).json()) as object).toMatchObject({
      items: [{ key: "b" }],
    });
  });

  it.each([
    ["limit=0", "invalid_limit"],
    ["limit=1001", "invalid_limit"],
    ["limit=x", "invalid_limit"],
    ["limit=", "invalid_limit"],
    ["cursor=rubbish", "invalid_cursor"],
    ["values=1", "invalid_argument"],
    ["limit=1&limit=2", "invalid_argument"],
    ["prefix=%FF", "invalid_encoding"],
    ["prefix=%", "invalid_encoding"],
    [`prefix=${"x".repeat(513)}`, "invalid_key"],
    ["Prefix=a", "invalid_argument"],
    ["__proto__=a", "invalid_argument"],
  ])("refuses ?%s with %s", async (query, code) => {
    const { call } = fakeBed();
    const response = await call("GET", `/v1/s/keys?${query}`);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).code).toBe(code);
  });
});

describe("export", () => {
  it("gives every record of a prefix, and import takes them back to the very bytes", async () => {
    const { call, spaces } = fakeBed();
    const warp = spaces.warp("from");
    for (let i = 0; i < 2_500; i++) {
      const bytes = crypto.getRandomValues(new Uint8Array(i % 7));
      await warp.set(
        `k${i}`,
        {
          bytes: i % 3 === 0 ? bytes : utf8(`{"i":${i}}`),
          contentType: i % 2 === 0 ? "application/json" : "a/b",
        },
        {},
      );
    }
    await warp.set("other", { bytes: utf8("x"), contentType: "a/b" });
    const exported = await call("GET", "/v1/from/export?prefix=k");
    expect(exported.headers.get("Content-Type")).toBe("application/x-ndjson");
    const imported = await call("POST", "/v1/to/import", {
      body: await textOf(exported),
      headers: { "Content-Type": "application/x-ndjson" },
    });
    expect((await textOf(imported)).trim().split("\n").at(-1)).toBe(
      '{"done":{"lines":2500,"imported":2500,"failed":0}}',
    );
    const plain = (space: string) =>
      [...spaces.warp(space).entries]
        .filter(([key]) => key !== "other")
        .map(([key, { payload }]) => [key, payload.contentType, payload.bytes.join()])
        .sort();
    expect(plain("to")).toEqual(plain("from"));
  });

  it("breaks off when a page fails, so that it never looks whole; its first page failing is a problem", async () => {
    const { call, spaces } = fakeBed();
    const warp = spaces.warp("s");
    for (let i = 0; i < 1_500; i++) await warp.set(`k${i}`, { bytes: utf8("v"), contentType: "a/b" });
    const response = await call("GET", "/v1/s/export");
    warp.faults.push(new Error("gone"));
    await expect(textOf(response)).rejects.toThrow();
    warp.faults.push(new Error("gone"));
    expect((await problemOf(await call("GET", "/v1/s/export"))).code).toBe("internal");
  });

  it("stops reading when its reader leaves", async () => {
    const { call, spaces } = fakeBed();
    const warp = spaces.warp("s");
    for (let i = 0; i < 5_000; i++) await warp.set(`k${i}`, { bytes: utf8("v"), contentType: "a/b" });
    let lists = 0;
    const list = warp.list.bind(warp);
    warp.list = (options) => {
      lists++;
      return list(options);
    };
    const response = await call("GET", "/v1/s/export");
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(lists).toBeLessThan(4);
  });
});

import { describe, expect, test } from "vitest";
import type { WarpError } from "../../src/errors.ts";
import type { SpaceOptionsData } from "../../src/protocol/shard-api.ts";
import { checkSpaceOptions, parseSpaceDefaults } from "../../src/protocol/space-options.ts";
import { parseUpstash } from "../../src/protocol/upstash-address.ts";

/** What a call throws. */
function thrown(call: () => unknown): WarpError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error as WarpError;
  }
}

const storage = { name: "upstash", write: "behind" } as const;

describe("what a space is made with", () => {
  test.each([
    {},
    { shards: 256, strict: false, storage, fallback: "a" },
    { storage: { ...storage, write: "through", throughTimeoutMs: 10, keepBytes: 0 } },
    { storage: { ...storage, throughTimeoutMs: 30_000, keepBytes: 10_000_000_000 } },
  ] as Partial<SpaceOptionsData>[])("%j is in range", (options) => {
    expect(thrown(() => checkSpaceOptions(options))).toBeUndefined();
  });

  test.each([
    [{ shards: 0 }, "shards"],
    [{ strict: 1 }, "strict"],
    [{ storage: { ...storage, name: "" } }, "storage.name"],
    [{ storage: { ...storage, name: "a/b" } }, "storage.name"],
    [{ storage: { ...storage, name: 1 } }, "storage.name"],
    [{ storage: { name: "upstash" } }, "storage.write"],
    [{ storage: { ...storage, throughTimeoutMs: 9.5 } }, "storage.throughTimeoutMs"],
    [{ storage: { ...storage, keepBytes: -1 } }, "storage.keepBytes"],
    [{ fallback: "" }, "fallback"],
  ])("OU4 SE3 %j is refused, and the field named", (options, field) => {
    const error = thrown(() => checkSpaceOptions(options as Partial<SpaceOptionsData>));
    expect(error).toMatchObject({ code: "invalid_argument", details: { field } });
    expect(error?.message.startsWith(field)).toBe(true);
  });

  test("defaults of a deployment are names that it has", () => {
    const known = { storages: ["upstash"], fallbacks: [] };
    expect(parseSpaceDefaults({ WARP_DEFAULT_STORAGE: "" }, known)).toEqual({});
    expect(parseSpaceDefaults({ WARP_DEFAULT_STORAGE: "upstash" }, known)).toEqual({ storage });
    const wrong = thrown(() => parseSpaceDefaults({ WARP_DEFAULT_STORAGE: "other" }, known));
    expect(wrong).toMatchObject({
      code: "invalid_argument",
      message: "WARP_DEFAULT_STORAGE is one of upstash",
    });
    const useless = thrown(() => parseSpaceDefaults({ WARP_DEFAULT_FALLBACK: "upstash" }, known));
    expect(useless?.message).toMatch(/WARP_DEFAULT_FALLBACK is of no use/);
  });
});

describe("the database of a deployment", () => {
  const url = "https://eu1-example-12345.upstash.io";

  test("is in both variables or in none", () => {
    expect(parseUpstash({})).toBeUndefined();
    expect(parseUpstash({ UPSTASH_REDIS_REST_URL: "", UPSTASH_REDIS_REST_TOKEN: "" })).toBeUndefined();
    const both = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: "abc" };
    expect(parseUpstash(both)).toEqual({ url, token: "abc" });
  });

  test.each([
    [{ UPSTASH_REDIS_REST_URL: url }, "UPSTASH_REDIS_REST_TOKEN"],
    [{ UPSTASH_REDIS_REST_TOKEN: "abc" }, "UPSTASH_REDIS_REST_URL"],
    [
      { UPSTASH_REDIS_REST_URL: "redis://secret-host", UPSTASH_REDIS_REST_TOKEN: "abc" },
      "UPSTASH_REDIS_REST_URL",
    ],
    [{ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: "secret token" }, "UPSTASH_REDIS_REST_TOKEN"],
  ])("SE6 %j: the variable is named, what is in it is not", (env, field) => {
    const error = thrown(() => parseUpstash(env));
    expect(error).toMatchObject({ code: "invalid_argument", details: { field } });
    expect(JSON.stringify(error?.toData())).not.toMatch(/secret|eu1|abc/);
  });
});

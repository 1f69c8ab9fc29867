import { describe, expect, test } from "vitest";
import type { SpaceOptionsData, UsageReply } from "../../src/protocol/shard-api.ts";
import { fakeBed, problemOf } from "./bed.ts";

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

/** A bed that remembers with what spaces are made. */
function bedOfSpaces() {
  const bed = fakeBed();
  const made: Partial<SpaceOptionsData>[] = [];
  const create = bed.spaces.create.bind(bed.spaces);
  bed.spaces.create = async (space, options: Partial<SpaceOptionsData>) => {
    made.push(options);
    const reply = await create(space, {});
    const { storage, fallback } = options;
    return {
      ...reply,
      space: { ...reply.space, ...(storage && { storage }), ...(fallback && { fallback }) },
    };
  };
  return { ...bed, made };
}

describe("storage behind a space, over HTTP", () => {
  test("a space is made with what its body says of storage and fallback, and shows it", async () => {
    const { call, made } = bedOfSpaces();
    const storage = { name: "upstash", write: "through", throughTimeoutMs: 500, keepBytes: 0 };
    const answer = await call("PUT", "/v1/s", json({ storage, fallback: "upstash" }));
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ name: "s", storage, fallback: "upstash", created: true });
    await call("PUT", "/v1/t", json({ storage: { name: "upstash" } }));
    await call("PUT", "/v1/u", json({ shards: 2 }));
    expect(made).toEqual([
      { storage, fallback: "upstash" },
      { storage: { name: "upstash", write: "behind" } },
      { shards: 2 },
    ]);
  });

  test.each([
    [{ storage: "upstash" }, "storage"],
    [{ storage: {} }, "storage.name"],
    [{ storage: { name: "upstash", write: "around" } }, "storage.write"],
    [{ storage: { name: "upstash", throughTimeoutMs: 9 } }, "storage.throughTimeoutMs"],
    [{ storage: { name: "upstash", throughTimeoutMs: 30_001 } }, "storage.throughTimeoutMs"],
    [{ storage: { name: "upstash", keepBytes: -1 } }, "storage.keepBytes"],
    [{ storage: { name: "upstash", keepBytes: 10_000_000_001 } }, "storage.keepBytes"],
    [{ storage: { name: "upstash", keep: 1 } }, "storage.keep"],
    [{ fallback: 1 }, "fallback"],
  ])("SE3 %j is refused, and the field named", async (body, field) => {
    const { call, made } = bedOfSpaces();
    const problem = await problemOf(await call("PUT", "/v1/s", json(body)));
    expect([
      problem.status,
      problem.code,
      (problem.details as { field?: string } | undefined)?.field,
    ]).toEqual([400, "invalid_argument", field]);
    expect(made).toEqual([]);
  });

  test("GET tells what waits for the storage, in all and for each shard", async () => {
    const { call, spaces } = fakeBed();
    await call("PUT", "/v1/s");
    const error = { code: "storage_unavailable" as const, message: "away", outcome: "unknown" as const };
    const outbox = { entries: 2, bytes: 30, lagMs: 4_000, error: { ...error, retryable: true } };
    const shard = { epoch: "aa", asOf: 1, registrations: 0, logEntries: 1, logFloor: 0, databaseBytes: 1 };
    const usage = { keys: 1, valueBytes: 1, logEntries: 1, databaseBytes: 1, outbox };
    spaces.usage = async () => ({
      ...usage,
      shards: [{ ...shard, keys: 1, valueBytes: 1, outbox } as UsageReply],
    });
    expect(await (await call("GET", "/v1/s")).json()).toMatchObject({
      usage: { outbox, shards: [{ outbox }] },
    });
  });

  test("a write that the storage has not confirmed says so in header and body; others don't", async () => {
    const { call, spaces } = fakeBed();
    const plain = await call("PUT", "/v1/s/keys/a", { body: "1" });
    expect(plain.headers.get("Warp-Storage")).toBeNull();
    expect(await plain.json()).not.toHaveProperty("storage");
    const warp = spaces.warp("s");
    const set = warp.set.bind(warp);
    const batch = warp.batch.bind(warp);
    Object.assign(warp, {
      set: async (...args: Parameters<typeof set>) => ({ ...(await set(...args)), storage: "pending" }),
      batch: async (...args: Parameters<typeof batch>) =>
        (await batch(...args)).map((one) =>
          "result" in one ? { ...one, result: { ...one.result, storage: "pending" } } : one,
        ),
    });
    const pending = await call("PUT", "/v1/s/keys/a", { body: "2" });
    expect([pending.status, pending.headers.get("Warp-Storage")]).toEqual([200, "pending"]);
    expect(await pending.json()).toMatchObject({ storage: "pending" });
    const many = await call("POST", "/v1/s/batch", json({ operations: [{ op: "set", key: "b", json: 1 }] }));
    expect(await many.json()).toMatchObject({ results: [{ ok: true, storage: "pending" }] });
  });
});

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { Report } from "../../src/metrics/report.ts";
import type { WarpMeter } from "../../src/objects/warp-meter.ts";
import type { WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { shardName } from "../../src/protocol/space.ts";
import { samplesOf } from "../metrics/samples.ts";

const { METER, SHARDS } = env as unknown as Required<WarpShardEnv>;
const meters = (name: string) => METER.get(METER.idFromName(name));

const report = (seq: number, changes: Partial<Report> = {}): Report => ({
  reporter: "0123456789abcdef0123456789abcdef",
  kind: "isolate",
  seq,
  counters: [["warp_set_total", 5]],
  gauges: [["warp_cache_entries", 2]],
  ...changes,
});

describe("WarpMeter", () => {
  it("MT1 keeps totals and what it has counted across an eviction", async () => {
    const stub = meters("evicted");
    expect(await stub.report(report(1))).toEqual({ counted: "now" });
    await evictDurableObject(stub);
    expect(await stub.report(report(1))).toEqual({ counted: "before" });
    expect(await stub.report(report(2))).toEqual({ counted: "now" });
    const samples = samplesOf(await stub.scrape("text"));
    expect(samples.get("warp_set_total")).toBe(10);
    expect(samples.get("warp_cache_entries")).toBe(2);
  });

  it("answers a malformed report as data, and stores nothing of it", async () => {
    const stub = meters("malformed");
    expect(await stub.report(report(0))).toMatchObject({ refused: { code: "invalid_argument" } });
    const tables = await runInDurableObject(stub, (_: WarpMeter, state) =>
      state.storage.sql
        .exec("SELECT name FROM sqlite_master WHERE name IN ('totals', 'reporters')")
        .toArray(),
    );
    expect(tables).toEqual([]);
  });

  it("MT1 counts what the Worker and the shards did", async () => {
    const worker = (exports as unknown as { default: Fetcher }).default;
    const call = async (method: string, path: string, body?: string) =>
      await worker.fetch(`http://localhost${path}`, { method, ...(body === undefined ? {} : { body }) });
    const scrape = async () => samplesOf(await (await call("GET", "/metrics")).text());
    const before = await scrape();
    const grown = async (name: string) => ((await scrape()).get(name) ?? 0) - (before.get(name) ?? 0);
    for (let i = 0; i < 3; i++) {
      const answer = await call("PUT", "/v1/metered/keys/a", `${i}`);
      expect(answer.ok).toBe(true);
      await answer.body?.cancel();
    }
    const read = await call("GET", "/v1/metered/keys/a");
    expect(await read.text()).toBe("2");
    const route = 'route="/v1/{space}/keys/{key+}"';
    expect(await grown("warp_set_total")).toBe(3);
    expect(await grown("warp_get_total")).toBe(1);
    expect(await grown(`warp_requests_total{${route},method="PUT",status="2xx"}`)).toBe(3);
    expect(await grown(`warp_request_duration_seconds_count{${route},method="PUT"}`)).toBe(3);
    // The shard reports by itself, behind its first commit; later ones come an interval after that.
    await vi.waitUntil(async () => (await grown("warp_shard_commits_total")) >= 1);
    expect(await grown("warp_shard_log_entries_total")).toBeGreaterThanOrEqual(1);
    expect((await scrape()).get('warp_reporters{kind="shard"}')).toBe(1);
  });

  it("a shard that commits nothing reports nothing", async () => {
    const read = async () =>
      samplesOf(await meters("meter/0").scrape("text")).get('warp_reporters{kind="shard"}');
    const before = await read();
    for (let i = 0; i < 5; i++) {
      const space = `nobody-${i}`;
      const scope = { space, shard: 0, spaceId: undefined, registrations: 0 };
      await SHARDS.get(SHARDS.idFromName(shardName(space, 0))).read({ ...scope, keys: ["a"] });
    }
    expect(await read()).toBe(before);
  });
});

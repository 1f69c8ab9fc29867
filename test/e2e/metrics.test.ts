import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { samplesOf } from "../metrics/samples.ts";
import { SpaceHttp } from "../support/http-client.ts";
import { promtool } from "../support/promtool.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

const intervalMs = 500;
const isolates = 4;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;

const start = () =>
  startServe(folder.path, ["--isolates", String(isolates)], { WARP_METRICS_INTERVAL_MS: String(intervalMs) });

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await start();
});

afterAll(async () => {
  await served.stop();
  await folder[Symbol.asyncDispose]();
});

async function text(at: number, accept = "text/plain"): Promise<string> {
  const answer = await fetch(`${served.urls[at]}/metrics`, { headers: { Accept: accept } });
  expect(answer.status).toBe(200);
  return await answer.text();
}

const scrape = async (at = 0) => samplesOf(await text(at));

describe("/metrics over four isolates", () => {
  test("MT1 MT2 after a load and one interval it says what the load generator counted, whichever isolate answers", async () => {
    const counted = { puts: 0, deletes: 0, gets: 0, hits: 0, misses: 0, absent: 0, batches: 0, sets: 0 };
    const load = async (at: number) => {
      const space = new SpaceHttp(served.urls[at] ?? "", "load");
      for (let i = 0; i < 50; i++) {
        await space.put(`${at}:${i}`, `value ${i}`);
        counted.puts++;
        counted.sets++;
      }
      for (let i = 0; i < 100; i++) {
        // Half of them its own, half of them another isolate's, some of nobody.
        const key = i % 10 === 0 ? `none:${i}` : `${(at + (i % 2)) % isolates}:${i % 50}`;
        const read = await space.get(key);
        counted.gets++;
        if (read.text === undefined) counted.absent++;
        if (read.cache === "hit") counted.hits++;
        else counted.misses++;
      }
      for (let i = 0; i < 5; i++) {
        await space.delete(`${at}:${i}`);
        counted.deletes++;
      }
      await space.batch([0, 1, 2].map((i) => ({ op: "set", key: `b:${at}:${i}`, text: "x" })));
      counted.batches++;
      counted.sets += 3;
    };
    await new SpaceHttp(served.url, "load").create({ shards: 2 });
    await Promise.all(Array.from({ length: isolates }, (_, at) => load(at)));
    await sleep(intervalMs);
    // Each isolate reports behind its next request, each shard behind its next call.
    for (let at = 0; at < isolates; at++) await scrape(at);

    const key = 'route="/v1/{space}/keys/{key+}"';
    const want = {
      [`warp_requests_total{${key},method="PUT",status="2xx"}`]: counted.puts,
      [`warp_requests_total{${key},method="GET",status="2xx"}`]: counted.gets - counted.absent,
      [`warp_requests_total{${key},method="GET",status="4xx"}`]: counted.absent,
      [`warp_requests_total{${key},method="DELETE",status="2xx"}`]: counted.deletes,
      [`warp_request_duration_seconds_count{${key},method="GET"}`]: counted.gets,
      'warp_requests_total{route="/v1/{space}/batch",method="POST",status="2xx"}': counted.batches,
      'warp_requests_total{route="/v1/{space}",method="PUT",status="2xx"}': 1,
      warp_get_total: counted.gets,
      warp_set_total: counted.sets,
      warp_delete_total: counted.deletes,
      warp_core_hits_total: counted.hits,
      warp_core_misses_total: counted.misses,
      'warp_reporters{kind="isolate"}': isolates,
    };
    expect(counted.hits, "hits, without which this shows little").toBeGreaterThan(0);
    for (let at = 0; at < isolates; at++) {
      const samples = await scrape(at);
      expect(Object.fromEntries(Object.keys(want).map((name) => [name, samples.get(name)]))).toEqual(want);
    }

    // The shards' log: every set and every delete is an entry of its own.
    const poke = new SpaceHttp(served.url, "load");
    const written = counted.sets + counted.deletes;
    const told = await eventually(async () => {
      await poke.lines("/export?prefix=nothing");
      for (let i = 0; i < 8; i++) await poke.get(`poke:${i}`);
      return (await scrape()).get("warp_shard_log_entries_total") === written;
    });
    expect(told, `${(await scrape()).get("warp_shard_log_entries_total")} of ${written} log entries`).toBe(
      true,
    );
    const samples = await scrape();
    const commits = samples.get("warp_shard_commits_total") ?? 0;
    expect(commits).toBeGreaterThan(0);
    expect(samples.get("warp_shard_works_total")).toBeGreaterThanOrEqual(commits);
  });

  test("MT1 totals survive kill -9, and grow on from there", async () => {
    const before = await scrape();
    await served.kill();
    served = await start();
    const after = await scrape(1);
    const fell = [...before].filter(
      ([name, value]) => /_(total|count|bucket|sum)(\{|$)/.test(name) && (after.get(name) ?? 0) < value,
    );
    expect(fell).toEqual([]);
    await new SpaceHttp(served.url, "load").put("again", "x");
    expect((await scrape(0)).get("warp_set_total")).toBe((before.get("warp_set_total") ?? 0) + 1);
  });

  test("MT1 promtool accepts the text", async ({ skip }) => {
    const tool = promtool() ?? skip("promtool is not installed (Debian: prometheus)");
    const { status, stdout, stderr } = spawnSync(tool, ["check", "metrics"], {
      input: await text(0),
      encoding: "utf8",
    });
    expect(`${stdout}${stderr}`).toBe("");
    expect(status).toBe(0);
  });

  test("OpenMetrics is for who asks for it", async () => {
    const told = await text(2, "application/openmetrics-text; version=1.0.0");
    expect(told.endsWith("# EOF\n")).toBe(true);
    expect(told).toContain("# TYPE warp_requests counter\n");
  });

  test("an interval out of range is told before anything starts", async () => {
    await expect(startServe(folder.path, [], { WARP_METRICS_INTERVAL_MS: "5" })).rejects.toThrow(
      /WARP_METRICS_INTERVAL_MS must be a whole number, 100 to 300000/,
    );
  });
});

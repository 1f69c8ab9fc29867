import { expect, test } from "vitest";
import type { BatchOperation, BatchResult } from "../../src/core/types.ts";
import { WarpError } from "../../src/errors.ts";
import { sendPatiently } from "../../src/http/patient-batch.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Timers } from "../../src/runtime/clock.ts";

const payload = { bytes: utf8("1"), contentType: "text/plain" };
const operations: BatchOperation[] = ["a", "b", "c"].map((key) => ({ op: "set", key, payload, opId: key }));
const full = new WarpError("overloaded", "full", { outcome: "fail", retryAfterMs: 1_000 }).toData();
const done = (key: string): BatchResult => {
  return {
    op: "set",
    result: { key, opId: key, version: 1, etag: "x.1", cursor: "x.1", existed: false, replayed: false },
  };
};

/** Answers each operation with what `refuses` says of it, and notes what was sent when. */
function shard(refuses: (key: string, nowMs: number) => BatchResult | undefined) {
  let nowMs = 0;
  const sent: [number, string][] = [];
  const timers: Timers = {
    after: (delayMs, run) => {
      nowMs += delayMs;
      queueMicrotask(run);
      return () => undefined;
    },
  };
  const send = async (some: readonly BatchOperation[]) => {
    sent.push([nowMs, some.map(({ key }) => key).join("")]);
    return some.map(({ key }) => refuses(key, nowMs) ?? done(key));
  };
  return { sent, timers, send };
}

const refusal = (key: string, error = full): BatchResult => ({ op: "set", key, opId: key, error });
const codes = (results: readonly BatchResult[]) =>
  results.map((one) => ("error" in one ? one.error.code : "ok"));

test("only what a full shard refused is sent again, after the time that it asks for", async () => {
  const { sent, ...bed } = shard((key, nowMs) => (key !== "b" && nowMs < 2_000 ? refusal(key) : undefined));
  const results = await sendPatiently(operations, { ...bed, isOver: () => false });
  expect(codes(results)).toEqual(["ok", "ok", "ok"]);
  expect(results.map((one) => ("result" in one ? one.result.key : ""))).toEqual(["a", "b", "c"]);
  expect(sent).toEqual([
    [0, "abc"],
    [1_000, "ac"],
    [2_000, "ac"],
  ]);
});

test("a minute in which nothing got through is enough; what got through begins a new one", async () => {
  const stuck = shard((key) => refusal(key));
  expect(codes(await sendPatiently(operations, { ...stuck, isOver: () => false }))).toEqual([
    ...["overloaded", "overloaded", "overloaded"],
  ]);
  expect(stuck.sent.at(-1)?.[0]).toBe(60_000);
  const slow = shard((key, nowMs) =>
    nowMs < { a: 50_000, b: 100_000, c: 150_000 }[key as "a"] ? refusal(key) : undefined,
  );
  expect(codes(await sendPatiently(operations, { ...slow, isOver: () => false }))).toEqual([
    "ok",
    "ok",
    "ok",
  ]);
});

test("other refusals, unknown fates and hosts without timers don't wait; nor does who is cancelled", async () => {
  const other = { ...full, code: "unavailable" as const };
  const unknown = { ...full, outcome: "unknown" as const };
  const refuses = (key: string) => refusal(key, key === "a" ? other : unknown);
  const bed = shard(refuses);
  await sendPatiently(operations, { ...bed, isOver: () => false });
  expect(bed.sent).toEqual([[0, "abc"]]);
  const stuck = shard((key) => refusal(key));
  await sendPatiently(operations, { ...stuck, timers: undefined, isOver: () => false });
  await sendPatiently(operations, { ...stuck, isOver: () => true });
  expect(stuck.sent).toEqual([
    [0, "abc"],
    [0, "abc"],
  ]);
});

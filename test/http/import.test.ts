import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { lineOpId } from "../../src/http/importer.ts";
import { LineSplitter } from "../../src/http/lines.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7Time } from "../../src/runtime/ids.ts";
import { fakeBed, problemOf, textOf } from "./bed.ts";

type Bed = ReturnType<typeof fakeBed>;
type ReportLine = { done?: object; progress?: object; error?: { line: number; code: string } };

async function importBody(
  bed: Bed,
  body: RequestInit["body"],
  headers: Record<string, string> = {},
): Promise<ReportLine[]> {
  const response = await bed.call("POST", "/v1/s/import", {
    body,
    headers: { "Content-Type": "application/x-ndjson", ...headers },
    duplex: "half",
  } as RequestInit);
  expect(response.status).toBe(200);
  return (await textOf(response))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ReportLine);
}

const stream = (parts: readonly Uint8Array[]): ReadableStream<Uint8Array> => {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const part = parts[next++];
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  });
};

describe("import over HTTP", () => {
  it("names each bad line by its number and takes all others", async () => {
    const bed = fakeBed({ maxValueBytes: 100 });
    const lines = [
      '{"key":"a","json":{"x":1}}',
      "not json",
      "",
      '{"key":"b","text":"two"}\r',
      "[1]",
      '{"text":"no key"}',
      '{"key":"","text":"v"}',
      `{"key":"${"k".repeat(513)}","text":"v"}`,
      '{"key":"c","text":"v","expiresInMs":0}',
      '{"key":"c","text":"v","extra":1}',
      `{"key":"c","text":"${"v".repeat(101)}"}`,
      '{"key":"c","text":"v","contentType":"rubbish"}',
      '{"key":"c","base64":"/w==","contentType":"a/b","expiresInMs":9}',
      "null",
    ];
    const report = await importBody(bed, lines.join("\n"));
    expect(report.flatMap((line) => (line.error ? [[line.error.line, line.error.code]] : []))).toEqual([
      [2, "invalid_json"],
      [5, "invalid_line"],
      [6, "invalid_key"],
      [7, "invalid_key"],
      [8, "invalid_key"],
      [9, "invalid_ttl"],
      [10, "invalid_argument"],
      [11, "value_too_large"],
      [12, "unsupported_media_type"],
      [14, "invalid_line"],
    ]);
    expect(report.at(-1)).toEqual({ done: { lines: 14, imported: 3, failed: 10 } });
    const { entries } = bed.spaces.warp("s");
    expect([...entries.keys()]).toEqual(["a", "b", "c"]);
    expect(fromUtf8(entries.get("a")?.payload.bytes ?? new Uint8Array())).toBe('{"x":1}');
    expect(entries.get("c")).toMatchObject({
      expiresInMs: 9,
      payload: { bytes: Uint8Array.of(255), contentType: "a/b" },
    });
  });

  it("names the first hundred failing lines and counts the rest", async () => {
    const report = await importBody(fakeBed(), "x\n".repeat(250));
    expect(report.filter((line) => line.error)).toHaveLength(100);
    expect(report.at(-1)).toEqual({ done: { lines: 250, imported: 0, failed: 250 } });
  });

  it("sends chunks of at most 1,000 records and 4 MiB, at most three at once", async () => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("s");
    let now = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const batch = warp.batch.bind(warp);
    // Each of the first chunks is held until three are on their way: a fourth that did not wait would be seen.
    warp.batch = async (operations, options) => {
      most = Math.max(most, ++now);
      if (now === 3) for (const go of waiting) go();
      else if (most < 3) await new Promise<void>((go) => waiting.push(go));
      now--;
      return await batch(operations, options);
    };
    const small = Array.from({ length: 3_500 }, (_, i) => `{"key":"k${i}","json":${i}}`).join("\n");
    await importBody(bed, small);
    expect(warp.batches.map(({ operations }) => operations.length).sort()).toEqual([
      1_000, 1_000, 1_000, 500,
    ]);
    expect(most).toBe(3);
    warp.batches.length = 0;
    const large = Array.from(
      { length: 9 },
      (_, i) => `{"key":"l${i}","text":"${"x".repeat(1_000_000)}"}`,
    ).join("\n");
    await importBody(bed, large);
    expect(warp.batches.map(({ operations }) => operations.length)).toEqual([4, 4, 1]);
  });

  it("the last line of a key wins, also where its lines are in different chunks", async () => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("s");
    const batch = warp.batch.bind(warp);
    let calls = 0;
    // The earlier a chunk, the longer it takes: without care the first would be carried out last.
    warp.batch = async (operations, options) => {
      for (let i = 1_000 / ++calls; i > 0; i--) await Promise.resolve();
      return await batch(operations, options);
    };
    const body = Array.from({ length: 3_000 }, (_, i) => `{"key":"k${i % 1_000}","json":${i}}`).join("\n");
    await importBody(bed, body);
    for (const [key, { payload }] of warp.entries) {
      expect(Number(fromUtf8(payload.bytes))).toBe(2_000 + Number(key.slice(1)));
    }
  });

  it("reports progress at intervals and before the end", async () => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("s");
    const batch = warp.batch.bind(warp);
    warp.batch = async (operations, options) => {
      bed.clock.nowMs += 300;
      return await batch(operations, options);
    };
    const body = Array.from({ length: 6_000 }, (_, i) => `{"key":"k${i}","json":${i}}`).join("\n");
    const report = await importBody(bed, body);
    const progress = report.filter((line) => line.progress);
    expect(progress.length).toBeGreaterThanOrEqual(2);
    expect(progress.length).toBeLessThanOrEqual(4);
  });

  it("gives each line its own op id, the same one when it is repeated under the same Warp-Op-Id", async () => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("s");
    const base = "01900000-0000-7000-8000-fffffffffffe";
    const ids = async () => {
      warp.batches.length = 0;
      await importBody(bed, '{"key":"a","json":1}\n{"key":"b","json":1}\n{"key":"c","json":1}', {
        "Warp-Op-Id": base,
      });
      return warp.batches.flatMap(({ operations }) =>
        operations.map((item) => ("opId" in item ? item.opId : undefined)),
      );
    };
    const first = await ids();
    expect(first).toEqual([
      "01900000-0000-7000-8000-ffffffffffff",
      "01900000-0000-7000-8000-000000000000",
      "01900000-0000-7000-8000-000000000001",
    ]);
    expect(await ids()).toEqual(first);
    expect(uuidv7Time(lineOpId(base, 12_345))).toBe(uuidv7Time(base));
  });

  it("repeats a chunk of unknown fate once with the same op ids, then stops and says why", async () => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("s");
    warp.faults.push(new WarpError("unavailable", "gone", { outcome: "unknown" }));
    expect((await importBody(bed, '{"key":"a","json":1}')).at(-1)).toEqual({
      done: { lines: 1, imported: 1, failed: 0 },
    });
    for (let i = 0; i < 2; i++)
      warp.faults.push(new WarpError("unavailable", "gone", { outcome: "unknown" }));
    const body = Array.from({ length: 20_000 }, (_, i) => `{"key":"k${i}","json":${i}}\n`);
    const report = await importBody(bed, stream(body.map(utf8)));
    const { done } = report.at(-1) as {
      done: { lines: number; imported: number; failed: number; stopped: object };
    };
    expect(done.stopped).toMatchObject({ code: "unavailable", outcome: "unknown", retryable: true });
    expect(done.failed).toBe(1_000);
    expect(done.imported + done.failed).toBe(done.lines);
    expect(done.lines).toBeLessThan(20_000);
  });

  it("skips a line over its bound without holding it", async () => {
    const bed = fakeBed();
    const parts = [
      utf8('{"key":"a","json":1}\n{"key":"b","text":"'),
      ...Array.from({ length: 50 }, () => utf8("x".repeat(100_000))),
      utf8('"}\n{"key":"c","json":2}'),
    ];
    const report = await importBody(bed, stream(parts));
    expect(report).toEqual([
      { error: { line: 2, code: "invalid_line", message: expect.any(String), outcome: "fail" } },
      { done: { lines: 3, imported: 2, failed: 1 } },
    ]);
  });

  it("a body that breaks off breaks off the report, and is no trouble of ours", async () => {
    const bed = fakeBed();
    let pulls = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(utf8('{"key":"a","json":1}\n'));
        else controller.error(new Error("gone"));
      },
    });
    const response = await bed.call("POST", "/v1/s/import", {
      body: broken,
      duplex: "half",
      headers: { "Content-Type": "application/x-ndjson" },
    } as RequestInit);
    await expect(textOf(response)).rejects.toThrow();
    expect(bed.logged).toEqual([]);
    const failing = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("gone")),
    });
    const put = await bed.call("PUT", "/v1/s/keys/a", { body: failing, duplex: "half" } as RequestInit);
    expect((await problemOf(put)).code).toBe("aborted");
  });

  it("ST7 lines whose quorum is missed fail each for itself: keys of other registrations may do without one", async () => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("s");
    const error = new WarpError("quorum_failed", "0 of 2 other nodes are connected").toData();
    const batch = warp.batch.bind(warp);
    warp.batch = async (operations, options) =>
      operations.length === 1_000
        ? operations.map(({ op }, index) => ({ op, key: `k${index}`, error }))
        : batch(operations, options);
    const body = Array.from({ length: 1_001 }, (_, i) => `{"key":"k${i}","json":${i}}\n`);
    const report = await importBody(bed, stream(body.map(utf8)));
    expect(report.at(-1)).toEqual({ done: { lines: 1_001, imported: 1, failed: 1_000 } });
    expect(report[0]).toMatchObject({ error: { line: 1, code: "quorum_failed", outcome: "fail" } });
  });

  it("OU4 logs what nobody expected under the request's id, and keeps its words out of the report", async () => {
    const bed = fakeBed();
    bed.spaces.warp("s").faults.push(new Error("private words"));
    const report = await importBody(bed, '{"key":"a","json":1}\n');
    expect(report.at(-1)).toMatchObject({ done: { failed: 1, stopped: { code: "internal" } } });
    expect(JSON.stringify(report)).not.toContain("private");
    expect(bed.logged).toHaveLength(1);
    expect(bed.logged[0]?.facts.requestId).toEqual(expect.any(String));
  });

  it("answers an empty body, a wrong media type and a token without the verb", async () => {
    const bed = fakeBed();
    expect(await importBody(bed, "")).toEqual([{ done: { lines: 0, imported: 0, failed: 0 } }]);
    const response = await bed.call("POST", "/v1/s/import", {
      body: "{}",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    });
    expect((await problemOf(response)).code).toBe("unsupported_media_type");
  });
});

describe("lines", () => {
  it("are the same however the bytes are cut", () => {
    const text = "a\n\nb\u00e9😀\r\nlong-line-over-it\nc\nlast";
    const bytes = utf8(text);
    const whole = (size: number) => {
      const splitter = new LineSplitter(12);
      const lines = [];
      for (let at = 0; at < bytes.length; at += size)
        lines.push(...splitter.push(bytes.slice(at, at + size)));
      return [...lines, ...splitter.end()].map((line) => (typeof line === "string" ? line : line.code));
    };
    for (let size = 1; size <= bytes.length + 1; size++) {
      expect(whole(size), `cut by ${size}`).toEqual(["a", "", "b\u00e9😀\r", "invalid_line", "c", "last"]);
    }
  });

  it("that are not UTF-8 are faults of their own", () => {
    const splitter = new LineSplitter(100);
    const lines = splitter.push(Uint8Array.of(0x61, 0x0a, 0xff, 0x0a, 0x62, 0x0a));
    expect(lines.map((line) => (typeof line === "string" ? line : line.code))).toEqual([
      "a",
      "invalid_encoding",
      "b",
    ]);
    expect(splitter.end()).toEqual([]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { host } from "#host";
import { readValue } from "../../src/http/record.ts";
import { itemText } from "../../src/http/watch/item-text.ts";
import { eventStream } from "../../src/http/watch/sse.ts";
import type { Told } from "../../src/http/watch/told.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { WatchItem } from "../../src/watchbus/watchbus.ts";
import { EventStreamParser } from "../support/event-stream.ts";
import { HttpWatchBed } from "./watch-bed.ts";

const types = ["application/json", "text/plain", "application/octet-stream", 'a/b; c="\\"x"'];

/** Bytes of all kinds: any, text with line ends and signs of the stream's own syntax, JSON. */
const payloads = fc.record({
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: "binary", maxLength: 100 }).map(utf8),
    fc
      .array(
        fc.constantFrom(
          "\n",
          "\r",
          "\r\n",
          "\n\n",
          "data: x",
          "event: end",
          "id: 1",
          ":",
          "\0",
          "\u2028",
          "\ufeff",
          "\x85",
          '"',
          "\\",
        ),
        { maxLength: 20 },
      )
      .map((parts) => utf8(parts.join(""))),
    fc.json().map(utf8),
  ),
  contentType: fc.constantFrom(...types),
});
const keys = fc.string({ unit: "binary", minLength: 1, maxLength: 60 });
const cursor = "00000000000000aa.1";
const items: fc.Arbitrary<WatchItem> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("set" as const, "publish" as const, "publishPrefix" as const),
    key: keys,
    version: fc.nat(),
    revision: fc.nat(),
    shard: fc.nat(255),
    payload: payloads,
    cursor: fc.constantFrom(cursor, undefined),
  }),
  fc.record({
    kind: fc.constant("snapshot" as const),
    shard: fc.constant(0),
    first: fc.boolean(),
    done: fc.boolean(),
    entries: fc.array(fc.record({ key: keys, version: fc.nat(), payload: payloads }), { maxLength: 4 }),
    cursor: fc.constant(cursor),
  }),
);

/** The bytes of a stream that tells these. */
async function streamed(lists: readonly (readonly WatchItem[])[]): Promise<Uint8Array[]> {
  async function* told(): AsyncGenerator<Told, void, void> {
    for (const list of lists) {
      yield { kind: "items", items: list };
      yield { kind: "idle" };
    }
  }
  const stream = eventStream({ cursor, end: () => {} }, told(), { requestId: "r", retryMs: 1 });
  const chunks: Uint8Array[] = [];
  for (const reader = stream.getReader(); ; ) {
    const { value, done } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
  }
}

/** What was told, read back as a client reads it: the value of each record by the rules of all records. */
function readBack(text: string): readonly unknown[] {
  const { entries, ...item } = JSON.parse(text) as Record<string, unknown>;
  const records = Array.isArray(entries) ? (entries as Record<string, unknown>[]) : [item];
  return records.map((record) => ({
    key: record.key,
    version: record.version,
    ...readValue(record, 20_000),
  }));
}

function meant(item: WatchItem): readonly unknown[] {
  if (item.kind === "gap" || item.kind === "missed") return [];
  const list = item.kind === "snapshot" ? item.entries : [item];
  return list.map(({ key, version, payload }) => ({ key, version, ...payload }));
}

describe("bytes through a watch over HTTP", () => {
  it("WA6 X-22 whatever the bytes and the keys are, server-sent events and plain messages give them back unchanged, however the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(items, { maxLength: 3 }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        async (lists, size) => {
          const parser = new EventStreamParser();
          for (const chunk of await streamed(lists)) {
            for (let at = 0; at < chunk.length; at += size) parser.push(chunk.subarray(at, at + size));
          }
          const all = lists.flat();
          expect(parser.events.map(({ type }) => type)).toEqual(all.map(({ kind }) => kind));
          expect(parser.events.map(({ data }) => readBack(data))).toEqual(all.map(meant));
          expect(parser.lastEventId).toBe(cursor);
          for (const item of all) {
            const text = itemText(item, { cursor: item.cursor });
            expect(text).not.toMatch(/[\r\n]/);
            expect(readBack(text)).toEqual(meant(item));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("WA6 X-22 every code point, and every byte, passes the whole way", () =>
    host.withSql(async (sql) => {
      const bed = await HttpWatchBed.create(sql);
      const stream = await bed.stream("prefix=&ops=set,publish");
      const bytes = Uint8Array.from({ length: 512 }, (_, i) => i);
      const sent: { readonly bytes: Uint8Array; readonly contentType: string }[] = [];
      await bed.put("bytes", bytes, "application/octet-stream");
      sent.push({ bytes, contentType: "application/octet-stream" });
      // All of them in texts below the bound of what the log keeps; surrogates are no code points of texts.
      for (let from = 0; from < 0x110000; from += 4_000) {
        let text = "";
        for (let point = from; point < Math.min(0x110000, from + 4_000); point++) {
          if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point);
        }
        if (text === "") continue;
        const contentType = "text/plain";
        await bed.send("publish/text?retained=true", {
          method: "POST",
          body: utf8(text),
          headers: { "Content-Type": contentType },
        });
        sent.push({ bytes: utf8(text), contentType });
      }
      await bed.pass(200);
      expect(stream.items.flatMap((item) => readBack(JSON.stringify(item)))).toEqual(
        sent.map((payload, at) => ({
          key: at === 0 ? "bytes" : "text",
          version: at === 0 ? 1 : 0,
          ...payload,
        })),
      );
    }));
});

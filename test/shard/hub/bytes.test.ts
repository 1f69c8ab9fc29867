import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { Payload } from "../../../src/protocol/payload.ts";
import type { Mutation } from "../../../src/protocol/shard-api.ts";
import type { WatchTarget } from "../../../src/protocol/watch.ts";
import { bytesOfWire } from "../../../src/protocol/wire/watch-frames.ts";
import { toBase64, utf8 } from "../../../src/runtime/bytes.ts";
import { codePoints } from "../../support/code-points.ts";
import { HubBed, type TestSocket } from "../../support/hub-bed.ts";

const codecs = [undefined, "msgpack"] as const;

/** One write or publication: its key, content type and bytes. */
type Sent = readonly [key: string, contentType: string, bytes: Uint8Array];

/** A shard, and a session by each codec that watches everything. */
class BytesBed extends HubBed {
  readonly watchers: TestSocket[] = [];
  #calls = 0;

  async begin(from: "now" | "snapshot" = "now"): Promise<void> {
    for (const codec of codecs) {
      const socket = await this.join({ follow: false }, codec === undefined ? {} : { codec });
      await this.say(socket, { t: "sub", id: 1, prefix: "", mode: "all", from });
      this.watchers.push(socket);
    }
    await this.clock.advance(20);
  }

  async call(socket: TestSocket, m: "mutate" | "publish", request: object): Promise<void> {
    const id = ++this.#calls;
    await this.say(socket, { t: "call", id, m, a: [{ ...this.bed.scope(), ...request }] });
    const answer = socket.frames.findLast((frame) => "id" in frame && frame.id === id);
    expect(answer?.t === "err" ? answer.e : answer?.t).toBe("ok");
  }

  async set(socket: TestSocket, sent: readonly Sent[]): Promise<void> {
    const mutations = sent.map(
      ([key, contentType, bytes]): Mutation => ({
        kind: "set",
        opId: this.bed.opId(),
        key,
        payload: { bytes, contentType },
      }),
    );
    await this.call(socket, "mutate", { mutations });
  }

  async publish(socket: TestSocket, target: WatchTarget, payload: Payload, retained: boolean): Promise<void> {
    await this.call(socket, "publish", { opId: this.bed.opId(), target, payload, retained });
  }

  /** What each watcher was told since the last time, with its values in base64. */
  async told(): Promise<readonly (readonly [string, string, string])[][]> {
    await this.clock.advance(20);
    return this.watchers.map((socket) =>
      socket.frames.splice(0).flatMap((frame) => {
        if (frame.t === "we") return frame.es.map(([, , key, , type, value]) => row(key, type, value));
        if (frame.t === "msg") return frame.es.map(([, key, type, value]) => row(key, type, value));
        if (frame.t === "snap") return frame.es.map(([key, , type, value]) => row(key, type, value));
        return [];
      }),
    );
  }
}

function row(
  key: string,
  type: string | undefined,
  value: string | Uint8Array | null | undefined,
): readonly [string, string, string] {
  return [key, type ?? "", toBase64(bytesOfWire(value ?? ""))];
}

const rowOf = ([key, type, bytes]: Sent): readonly [string, string, string] => [key, type, toBase64(bytes)];

async function withBed(work: (bed: BytesBed) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new BytesBed(sql);
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

/** What readers of texts like to take for something else: a mark of byte order at the beginning above all. */
const odd = [
  "\ufeff",
  "\ufeffa\ufeff",
  "\0",
  "\0a\0",
  "\r\n",
  "\n",
  " a ",
  "\u2028",
  '"\\',
  "e\u0301",
  "*",
] as const;
const text = (maxLength: number) =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...odd), weight: 1 },
    {
      arbitrary: fc
        .string({ unit: "binary", minLength: 1, maxLength })
        .filter((one) => utf8(one).length <= 512),
      weight: 3,
    },
  );
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc.constantFrom(
    utf8("data: a\n\ndata: b\r\n\r\n\n"),
    utf8("\ufeff\u2028\u2029\0\u0085"),
    new Uint8Array(0),
  ),
);
const writes = fc.uniqueArray(fc.tuple(text(120), text(80), bytes), {
  minLength: 1,
  maxLength: 10,
  selector: ([key]) => key,
});

describe("WA6 what is written and published arrives unchanged, by JSON and by MessagePack", () => {
  test.each(codecs)("every code point, in keys and values, written by %s", (codec) =>
    withBed(async (bed) => {
      await bed.begin();
      const writer = await bed.join({ follow: false }, codec === undefined ? {} : { codec });
      let batch: Sent[] = [];
      let points = 0;
      const flush = async (): Promise<void> => {
        await bed.set(writer, batch);
        const [json, msgpack] = await bed.told();
        expect(json).toEqual(batch.map(rowOf));
        expect(msgpack).toEqual(json);
        writer.frames.length = 0;
        batch = [];
      };
      for (const key of codePoints(512)) {
        points += [...key].length;
        batch.push([key, "text/plain;charset=utf-8", utf8(key)]);
        if (batch.length === 500) await flush();
      }
      await flush();
      expect(points).toBe(0x110000 - 0x800);
    }),
  );

  test.each(codecs)("every code point published by %s, retained or not", (codec) =>
    withBed(async (bed) => {
      await bed.begin();
      const writer = await bed.join({ follow: false }, codec === undefined ? {} : { codec });
      let retained = false;
      for (const value of codePoints(16_000)) {
        retained = !retained;
        const sent: Sent = [[...value].slice(0, 100).join(""), "text/plain", utf8(value)];
        await bed.publish(writer, { key: sent[0] }, { bytes: sent[2], contentType: sent[1] }, retained);
        expect(await bed.told()).toEqual([[rowOf(sent)], [rowOf(sent)]]);
        writer.frames.length = 0;
      }
    }),
  );

  test("random bytes and newlines under random keys, of random content types: to who watches, resumes, or asks for the state", async () => {
    await fc.assert(
      fc.asyncProperty(writes, fc.constantFrom(...codecs), fc.boolean(), async (all, codec, retained) => {
        await withBed(async (bed) => {
          await bed.begin();
          const writer = await bed.join({ follow: false }, codec === undefined ? {} : { codec });
          await bed.set(writer, all);
          const expected = all.map(rowOf);
          expect(await bed.told()).toEqual([expected, expected]);
          const [key, contentType, value] = all[0] as Sent;
          await bed.publish(writer, { prefix: key }, { bytes: value, contentType }, retained);
          const published = [row(key, contentType, value)];
          expect(await bed.told()).toEqual([published, published]);
          const { epoch = "" } = bed.bed.shard.published.position ?? {};
          for (const from of ["snapshot", { epoch, revision: 0 }] as const) {
            for (const socket of bed.watchers) {
              await bed.say(socket, { t: "unsub", id: 1 });
              await bed.say(socket, { t: "sub", id: 1, prefix: "", mode: "all", from });
            }
            const byKey = (rows: readonly (readonly string[])[] = []) => new Map(rows.map((r) => [r[0], r]));
            const found = await bed.told();
            // What was retained has the key of what was written first.
            const wanted = from === "snapshot" || !retained ? expected : [...expected, ...published];
            for (const rows of found) expect(byKey(rows)).toEqual(byKey(wanted));
          }
        });
      }),
      { numRuns: 200 },
    );
  });
});

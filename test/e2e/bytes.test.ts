import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Warp } from "../../src/core/warp.ts";
import { msgpackCodec } from "../../src/msgpack.ts";
import { connectWarp } from "../../src/node.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import { toBase64, utf8 } from "../../src/runtime/bytes.ts";
import { payloadCodec } from "../../src/runtime/codec.ts";
import { codePoints } from "../support/code-points.ts";
import { seeded } from "../support/seeded.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;
const nodes: Warp[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path);
});

afterAll(async () => {
  for (const node of nodes) await node.close();
  await served?.stop();
  await folder?.[Symbol.asyncDispose]();
});

function connect(space: string, codec?: typeof msgpackCodec): Warp {
  const node = connectWarp(served.url, { space, ...(codec === undefined ? {} : { codec }) });
  nodes.push(node);
  return node;
}

/** One write or publication, its bytes in base64. */
type Row = readonly [kind: string, key: string, contentType: string, bytes: string];

const rowOf = (kind: string, key: string, { contentType, bytes }: Payload): Row => [
  kind,
  key,
  contentType,
  toBase64(bytes),
];

/** A watch of everything, and what it has been told. */
async function watched(warp: Warp): Promise<Row[]> {
  const rows: Row[] = [];
  const watch = warp.watch<Payload>(
    { prefix: "" },
    {
      codec: payloadCodec,
      onEvent: (item) => {
        if (item.kind !== "set" && item.kind !== "publish") return;
        rows.push(
          rowOf(item.kind, item.key, item.value ?? { bytes: new Uint8Array(0), contentType: "none" }),
        );
      },
    },
  );
  await watch.ready;
  return rows;
}

describe("WA6 from one end of a deployment to the other", () => {
  test("every code point, random bytes and newlines: by HTTP and sockets in, by JSON and MessagePack out", async () => {
    const seed = Date.now() >>> 0;
    const random = seeded(seed);
    const space = "bytes";
    const [json, msgpack] = [connect(space), connect(space, msgpackCodec)];
    await json.set("first", 1);
    const told = [await watched(json), await watched(msgpack)];
    const expected: Row[] = [];
    let way = 0;
    for (const text of codePoints(16_000)) {
      // A path can't say the keys "." and "..", nor begin with a byte order mark in some clients: letters first.
      const key = `k${[...text].slice(0, 100).join("")}`;
      const payload = { bytes: utf8(text), contentType: "text/plain; charset=utf-8" };
      way = (way + 1) % 3;
      if (way === 0) {
        const { status } = await fetch(`${served.url}/v1/${space}/keys/${encodeURIComponent(key)}`, {
          method: "PUT",
          headers: { "Content-Type": payload.contentType },
          body: payload.bytes,
        });
        expect(status).toBe(201);
      } else await (way === 1 ? json : msgpack).set(key, payload, { codec: payloadCodec });
      expected.push(rowOf("set", key, payload));
    }
    for (let n = 0; n < 60; n++) {
      const bytes = Uint8Array.from({ length: random.below(3_000) }, () => random.below(256));
      const payload = { bytes, contentType: random.pick(["a/b", "\ufeffodd \n type", ""]) };
      const publisher = n % 2 === 0 ? json : msgpack;
      await publisher.publish({ key: "room\n1" }, payload, { codec: payloadCodec, retained: n % 3 === 0 });
      expected.push(rowOf("publish", "room\n1", payload));
    }
    for (const rows of told) {
      await eventually(() => rows.length >= expected.length);
      expect(rows.length, `seed ${seed}`).toBe(expected.length);
      const wrong = rows.findIndex((row, at) => row.join() !== expected[at]?.join());
      expect([rows[wrong], expected[wrong]], `seed ${seed}, number ${wrong}`).toEqual([undefined, undefined]);
    }
  });
});

import { describe, expect, test } from "vitest";
import { type ImportFailure, importLines } from "../../src/client/import.ts";
import { getKey } from "../../src/client/keys.ts";
import { linesOf } from "../../src/client/lines.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { answering, appClient, chunks, clientOf } from "./bed.ts";

const quiet = { onProgress: () => undefined, onFailure: () => undefined };

describe("import", () => {
  test("a stream of records arrives, and lines that fail are named", async () => {
    const { client } = appClient();
    const failures: ImportFailure[] = [];
    const source = chunks('{"key":"a","text":"1"}\n{"key":', '"b","json":{"n":2}}\nno record\n');
    const result = await importLines(client, "app", source, 1_000, {
      ...quiet,
      onFailure: (failure) => failures.push(failure),
    });
    expect(result).toEqual({ lines: 3, imported: 2, failed: 1 });
    expect(failures).toMatchObject([{ line: 3, code: "invalid_json" }]);
    expect(fromUtf8((await getKey(client, "app", "b")).payload.bytes)).toBe('{"n":2}');
  });

  test("OU1 a report that breaks off is an unknown outcome, never a success", async () => {
    const report = '{"progress":{"lines":1,"imported":1,"failed":0}}\n';
    const { client } = clientOf(answering(200, report));
    await expect(importLines(client, "app", chunks("x"), 1_000, quiet)).rejects.toMatchObject({
      code: "unavailable",
      outcome: "unknown",
    });
  });
});

test("OU1 what an import ended with counts, also if the connection breaks under the rest of the body", async () => {
  async function* report(): AsyncGenerator<Uint8Array> {
    yield* chunks('{"done":{"lines":1,"imported":0,"failed":1}}\n');
    throw new Error("reset");
  }
  const { client } = clientOf(async () => ({
    status: 200,
    headers: new Headers(),
    body: report(),
    arrayBuffer: async () => new ArrayBuffer(0),
  }));
  expect(await importLines(client, "app", chunks("x"), 1_000, quiet)).toMatchObject({ failed: 1 });
});

describe("lines", () => {
  test("are the same wherever the chunks are cut", async () => {
    const bytes = utf8("one\n\nтри 🗝\nlast");
    for (let at = 0; at <= bytes.length; at++) {
      const lines: string[] = [];
      for await (const line of linesOf(chunks(bytes.subarray(0, at), bytes.subarray(at)))) lines.push(line);
      expect(lines).toEqual(["one", "", "три 🗝", "last"]);
    }
  });

  test("that are not UTF-8 are an error", async () => {
    const read = async () => {
      for await (const _ of linesOf(chunks(new Uint8Array([0x61, 0xff, 0x0a]))));
    };
    await expect(read()).rejects.toMatchObject({ code: "decode_failed" });
  });
});

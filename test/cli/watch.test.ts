import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Fetch, WebRequest } from "../../src/runtime/fetch.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { type CliBedOptions, warp } from "./bed.ts";

/** A deployment whose streams say what they are told to, one after the other; an error is a stream that breaks. */
function streams(...scripts: readonly (string | { readonly status: number; readonly body: object })[][]) {
  const sent: { url: string; request: WebRequest }[] = [];
  const fetch: Fetch = async (url, request) => {
    sent.push({ url, request });
    const script = scripts[sent.length - 1] ?? [];
    const [first] = script;
    if (typeof first === "object") {
      return {
        status: first.status,
        headers: { get: () => "application/problem+json" },
        body: null,
        arrayBuffer: async () => utf8(JSON.stringify(first.body)).buffer,
      };
    }
    return {
      status: 200,
      headers: { get: () => "text/event-stream" },
      body: (async function* () {
        for (const text of script) {
          if (text === "!") throw new TypeError("terminated");
          yield utf8(String(text));
        }
      })(),
      arrayBuffer: async () => new ArrayBuffer(0),
    };
  };
  return { fetch, sent, lastIds: () => sent.map(({ request }) => request.headers["Last-Event-ID"]) };
}

const set = (n: number, value: object = { text: `v${n}` }) =>
  `event: set\nid: e.${n}\ndata: ${JSON.stringify({ kind: "set", key: `k${n}`, version: n, revision: n, shard: 0, contentType: "text/plain", ...value })}\n\n`;
const rotate = 'event: rotate\ndata: {"kind":"rotate"}\n\n';

/** Runs the command while time passes. */
async function watched(argv: readonly string[], options: CliBedOptions) {
  const clock = virtualClock(1_800_000_000_000);
  let isOver = false;
  const ended = warp(["watch", ...argv], { clock, ...options }).finally(() => {
    isOver = true;
  });
  for (let steps = 0; steps < 300 && !isOver; steps++) {
    await clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return await ended;
}

describe("warp watch", () => {
  it("asks for what it is told to, and prints a line for each item", async () => {
    const { fetch, sent } = streams([
      "retry: 700\nid: e.0\n\n",
      'event: snapshot\nid: e.1\ndata: {"kind":"snapshot","shard":0,"first":true,"done":true,"entries":[{"key":"a","version":1,"contentType":"application/json","json":{"n":1}}]}\n\n',
      ": keep-alive\n\n",
      set(2, { text: "two\nlines" }),
      set(3, { base64: "//8=", contentType: "image/png" }),
      set(4, { text: undefined, contentType: undefined, omitted: true }),
      'event: delete\ndata: {"kind":"delete","key":"k\\u0007","version":0,"revision":5,"shard":0}\n\n',
      'event: gap\ndata: {"kind":"gap","why":"compacted","shard":0}\n\nevent: missed\ndata: {"kind":"missed"}\n\n',
    ]);
    const { stdout, code } = await watched(
      [
        "--prefix",
        "a b",
        "--from",
        "snapshot",
        "--mode",
        "latest",
        "--op",
        "set",
        "--op",
        "delete",
        "--count",
        "7",
      ],
      { fetch },
    );
    expect(code).toBe(0);
    expect(stdout.split("\n")).toEqual([
      'snapshot a {"n":1}',
      'set k2 "two\\nlines"',
      "set k3 (2 bytes of image/png)",
      "set k4 (not in the log any more: read the key)",
      'delete "k\\u0007"',
      "gap compacted",
      "missed",
      "",
    ]);
    expect(sent[0]?.url).toContain("/watch?prefix=a%20b&from=snapshot&mode=latest&ops=set%2Cdelete");
  });

  it("WA3 goes on by its last id when a stream ends, breaks or falls silent, also where it has told nothing but a position", async () => {
    const { fetch, lastIds } = streams(
      ["retry: 700\nid: e.0\n\n", rotate],
      ["id: e.5\n\n", "!"],
      [set(6), 'event: set\nid: e.7\ndata: {"cut off'],
      [set(7)],
    );
    const { stdout, stderr, code } = await watched(["k", "--count", "2"], { fetch });
    expect([code, stdout]).toEqual([0, "set k6 v6\nset k7 v7\n"]);
    expect(lastIds()).toEqual([undefined, "e.0", "e.5", "e.6"]);
    expect(stderr).toMatch(/^warp: .*; trying again\n$/);
  });

  it("--json prints items with their cursors", async () => {
    const { fetch } = streams([set(1)]);
    const { stdout } = await watched(["k", "--json", "--count", "1"], { fetch });
    expect(JSON.parse(stdout)).toEqual({
      ...{ kind: "set", key: "k1", version: 1, revision: 1, shard: 0 },
      ...{ contentType: "text/plain", text: "v1", cursor: "e.1" },
    });
  });

  it("ends with what ends the watch, and with what keeps it from beginning", async () => {
    const end = { kind: "end", code: "token_expired", detail: "the token has ended", outcome: "fail" };
    const ended = streams([set(1), `event: end\ndata: ${JSON.stringify(end)}\n\n`]);
    expect(await watched(["k"], { fetch: ended.fetch })).toMatchObject({
      code: 5,
      stdout: "set k1 v1\n",
      stderr: expect.stringContaining("token_expired"),
    });
    const body = { code: "unavailable", detail: "no", outcome: "fail", retryable: true };
    const refused = streams([{ status: 503, body }]);
    expect(await watched(["k"], { fetch: refused.fetch })).toMatchObject({ code: 6 });
    expect(refused.sent).toHaveLength(1);
  });

  it.each([
    [[]],
    [["k", "--prefix", "k"]],
    [["k", "--mode", "some"]],
    [["k", "--op", "put"]],
    [["k", "--count", "0"]],
  ])("%j is a wrong call", async (argv) => {
    const { fetch, sent } = streams();
    expect((await watched(argv, { fetch })).code).toBe(2);
    expect(sent).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { isWarpError } from "../../src/errors.ts";
import { decodeClientFrame, decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import { beatFrame } from "../../src/protocol/wire/frames.ts";
import { isShallow } from "../../src/protocol/wire/nesting.ts";
import { readCall, wireMethods } from "../../src/protocol/wire/requests.ts";
import { maxFrameBytes } from "../../src/runtime/limits.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { calls, clientFrames, opId, payload, scope, serverFrames } from "./wire-samples.ts";

/** What a frame is after its reading: the call's arguments too. Throws what a shard refuses it with. */
function readAll(data: string): unknown {
  const frame = decodeClientFrame(data);
  if (frame.t !== "call") return frame;
  return { ...frame, ...readCall(frame.m, frame.a) };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isWarpError(error)) return error.code;
    return `threw ${String(error)}`;
  }
  return "ok";
}

describe("warp.v1 frames", () => {
  test("every client frame, and every call, comes back as it was", () => {
    expect(calls.map(({ m }) => m)).toEqual(wireMethods);
    for (const frame of clientFrames) expect(readAll(encodeFrame(frame))).toEqual(frame);
    expect(encodeFrame({ t: "beat" })).toBe(beatFrame);
  });

  test("every server frame comes back as it was, bytes included", () => {
    for (const frame of serverFrames) expect(decodeServerFrame(encodeFrame(frame))).toEqual(frame);
  });

  test("all 256 bytes, and a Node buffer's kind of view, survive", () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at & 0xff);
    const part = bytes.subarray(100, 19_000);
    const frame = decodeServerFrame(encodeFrame({ t: "ok", id: 1, r: { bytes: part } }));
    expect(frame).toEqual({ t: "ok", id: 1, r: { bytes: part.slice() } });
  });

  test("unknown members are ignored in both directions, unknown kinds by clients only", () => {
    expect(decodeClientFrame('{"t":"ping","id":1,"later":{"x":[[1]]}}')).toEqual({ t: "ping", id: 1 });
    expect(decodeServerFrame('{"t":"later","x":1}')).toBeUndefined();
    expect(decodeServerFrame('{"t":"constructor"}')).toBeUndefined();
    expect(decodeServerFrame('{"t":"go","withinMs":1,"x":1}')).toEqual({ t: "go", withinMs: 1, x: 1 });
    expect(codeOf(() => decodeClientFrame('{"t":"later"}'))).toBe("invalid_frame");
    expect(codeOf(() => decodeClientFrame('{"t":"constructor"}'))).toBe("invalid_frame");
  });

  test("a code that the client does not know is internal, and keeps its outcome", () => {
    const err = { code: "later_code", message: "why", outcome: "unknown", retryable: true };
    expect(decodeServerFrame(JSON.stringify({ t: "err", id: 1, e: err }))).toMatchObject({
      e: { code: "internal", message: "later_code: why", outcome: "unknown", retryable: true },
    });
  });

  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["no kind", "{}"],
    ["an id that is none", '{"t":"ping","id":1.5}'],
    ["a negative id", '{"t":"ping","id":-1}'],
    ["an ack of text", '{"t":"ack","inv":"1"}'],
    ["a short node name", '{"t":"hello","v":1,"node":"short"}'],
    ["a node name with a space", '{"t":"hello","v":1,"node":"node 0001"}'],
    ["an empty zone", '{"t":"hello","v":1,"node":"node-0001","zone":""}'],
    [
      "a cursor without revision",
      '{"t":"hello","v":1,"node":"node-0001","cursor":{"epoch":"00000000000000aa"}}',
    ],
    ["a place without a number", '{"t":"hello","v":1,"node":"node-0001","fallback":"5"}'],
    ["a place with a leading zero", '{"t":"hello","v":1,"node":"node-0001","fallback":"05-1"}'],
    ["a place that is a number", '{"t":"hello","v":1,"node":"node-0001","fallback":5}'],
    ["depth", `{"t":"bye","x":${"[".repeat(40)}${"]".repeat(40)}}`],
  ])("%s is invalid_frame", (_what, data) => {
    expect(codeOf(() => decodeClientFrame(data))).toBe("invalid_frame");
  });

  test("bytes instead of text are invalid_frame; a frame over size is frame_too_large", () => {
    expect(codeOf(() => decodeClientFrame(new Uint8Array(3)))).toBe("invalid_frame");
    const long = `{"t":"bye","x":"${"x".repeat(maxFrameBytes)}"}`;
    expect(codeOf(() => decodeClientFrame(long))).toBe("frame_too_large");
    expect(codeOf(() => decodeServerFrame(long))).toBe("frame_too_large");
    // Its characters are fewer than the bytes that it has.
    expect(codeOf(() => decodeClientFrame(`{"t":"bye","x":"${"é".repeat(maxFrameBytes / 2)}"}`))).toBe(
      "frame_too_large",
    );
  });

  test("the refusal of an argument names its place", () => {
    const mutations = [{ kind: "set", opId, key: 7, payload }];
    expect(() => readCall("mutate", [{ ...scope, mutations }])).toThrow(/a\[0\]\.mutations\[0\]\.key/);
    expect(() => readCall("read", [{ ...scope, keys: { length: 3 } }])).toThrow(/a\[0\]\.keys/);
    expect(() => readCall("read", undefined)).toThrow(/a must be/);
    expect(() => readCall("toString", [])).toThrow(/^m must be/);
    expect(() => readCall("list", [{ ...scope, prefix: "", limit: 1_001, values: true }])).toThrow(/limit/);
  });

  test("depth is measured outside of texts", () => {
    expect(isShallow('{"a":"[[[[[\\"[[["}', 1)).toBe(true);
    expect(isShallow('{"a\\\\":[1]}', 1)).toBe(false);
    expect(isShallow('[[],[],[{"a":"]"}]]', 3)).toBe(true);
    expect(isShallow('"no end', 0)).toBe(true);
  });
});

describe("SE4 malformed frames", () => {
  test("5,000 random changes of good frames are read or refused, never anything else", () => {
    const seed = Date.now() >>> 0;
    const random = seeded(seed);
    const good = [...clientFrames, ...serverFrames].map(encodeFrame);
    let refused = 0;
    for (let round = 0; round < 5_000; round++) {
      const data = spoil(random.pick(good), random);
      const code = codeOf(() => readAll(data));
      const tolerant = codeOf(() => decodeServerFrame(data));
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${data}`).toContain(code);
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${data}`).toContain(tolerant);
      if (code !== "ok") refused++;
    }
    expect(refused, `seed ${seed}`).toBeGreaterThan(1_000);
  }, 30_000);

  test("5,000 calls with a member of another type reach no shard", () => {
    const seed = Date.now() >>> 0;
    const random = seeded(seed);
    for (let round = 0; round < 5_000; round++) {
      const { m, a } = random.pick(calls);
      const spoiled = JSON.parse(encodeFrame({ t: "call", id: 1, m, a })) as { a: unknown };
      swap(spoiled.a, random);
      const code = codeOf(() => readCall(m, spoiled.a));
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${JSON.stringify(spoiled)}`).toContain(
        code,
      );
      if (code === "ok") expect(shapeOf(readCall(m, spoiled.a).a), `seed ${seed} round ${round}`).toBe(true);
    }
  }, 30_000);
});

const odd: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  "",
  "__proto__",
  [],
  {},
  { $bytes: "%%%" },
  { $bytes: 5 },
  { length: 5 },
  [[]],
  { toString: 1 },
];

/** Puts something else somewhere in JSON data. */
function swap(value: unknown, random: Seeded): void {
  if (typeof value !== "object" || value === null) return;
  const parts = value as Record<string, unknown>;
  const names = Object.keys(parts);
  if (names.length === 0) return;
  const name = random.pick(names);
  const part = parts[name];
  if (typeof part === "object" && part !== null && random.below(3) > 0) swap(part, random);
  else if (random.below(8) === 0) delete parts[name];
  else parts[name] = random.pick(odd);
}

/** Changes the text of a frame: characters, cuts, repetitions, or a member. */
function spoil(data: string, random: Seeded): string {
  const at = random.below(data.length);
  switch (random.below(5)) {
    case 0:
      return data.slice(0, at);
    case 1:
      return `${data.slice(0, at)}${String.fromCharCode(random.below(0x2ff))}${data.slice(at + 1)}`;
    case 2:
      return `${data.slice(0, at)}${random.pick(["{", "}", "[", "]", '"', ":", ",", "\\", "\ud800", "1e999"])}${data.slice(at)}`;
    case 3:
      return `${data.slice(0, at)}${data.slice(0, at)}`;
    default: {
      const frame = JSON.parse(data) as unknown;
      swap(frame, random);
      return JSON.stringify(frame);
    }
  }
}

/** Whether arguments that passed have in their places what a shard works with. */
function shapeOf(args: readonly unknown[]): boolean {
  const [request] = args;
  if (typeof request === "string") return true;
  const { space, shard, keys, mutations, commands } = request as Record<string, unknown>;
  if (typeof space !== "string" || !Number.isInteger(shard)) return false;
  if (keys !== undefined && !(keys as unknown[]).every((key) => typeof key === "string")) return false;
  const named = (one: Record<string, unknown>): boolean =>
    typeof one.opId === "string" && typeof (one.name ?? one.id) === "string";
  if (commands !== undefined && !(commands as Record<string, unknown>[]).every(named)) return false;
  return (
    mutations === undefined ||
    (mutations as Record<string, unknown>[]).every(
      (one) =>
        typeof one.opId === "string" &&
        (one.kind !== "set" || (one.payload as { bytes: unknown }).bytes instanceof Uint8Array),
    )
  );
}

import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isWarpError } from "../../src/errors.ts";
import { readClientFrame } from "../../src/protocol/wire/client-frames.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import { beatFrame } from "../../src/protocol/wire/frames.ts";
import { decodeMsgpack } from "../../src/protocol/wire/msgpack/decode.ts";
import { encodeMsgpack } from "../../src/protocol/wire/msgpack/encode.ts";
import { msgpackCodec } from "../../src/protocol/wire/msgpack/msgpack-codec.ts";
import { packFrame, packText } from "../../src/protocol/wire/msgpack/pack.ts";
import { unpackFrame } from "../../src/protocol/wire/msgpack/unpack.ts";
import { readCall } from "../../src/protocol/wire/requests.ts";
import { bytesOfWire } from "../../src/protocol/wire/watch-frames.ts";
import { maxFrameBytes } from "../../src/runtime/limits.ts";
import { seeded } from "../support/seeded.ts";
import { clientFrames, serverFrames } from "./wire-samples.ts";

/** All that a frame may hold: what JSON can say, and bytes. Texts without lone surrogates, which UTF-8 has no form of. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.string({ unit: "binary" }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    // The other library refuses this name; that ours takes it is tested below.
    fc.dictionary(
      fc.string({ unit: "binary" }).filter((name) => name !== "__proto__"),
      tie("value"),
      {
        maxKeys: 20,
        noNullPrototype: true,
      },
    ),
  ),
})).value;

/** -0 is 0 in JSON, and in both libraries. */
const plain = (value: unknown): unknown => (Object.is(value, -0) ? 0 : value);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return isWarpError(error) ? error.code : `threw ${String(error)}`;
  }
  return "ok";
}

/** A frame of a client as the shard reads it, the arguments of a call included. */
function readAll(data: string | Uint8Array): unknown {
  const frame = readClientFrame(unpackFrame(data));
  return frame.t === "call" ? { ...frame, ...readCall(frame.m, frame.a) } : frame;
}

describe("MessagePack", () => {
  test("WA6 1,000 random values are written as @msgpack/msgpack writes them, and each reads what the other wrote", () => {
    fc.assert(
      fc.property(values, (value) => {
        const ours = encodeMsgpack(value);
        expect(ours).toEqual(encode(value));
        expect(decode(ours)).toEqual(decodeMsgpack(ours));
        expect(JSON.stringify(decodeMsgpack(encode(value)))).toBe(JSON.stringify(plain(value)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("numbers and lengths at the bounds of each form", () => {
    const bounds = [0, 31, 32, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536];
    const numbers = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1.5, 1e300, 5e-324];
    const all: unknown[] = [...bounds, ...numbers].flatMap((n) => [n, -n, -n - 1]);
    for (const length of bounds) {
      all.push("x".repeat(length), "é".repeat(length), new Uint8Array(length).fill(7));
      all.push(Array.from({ length }, () => 1));
      all.push(Object.fromEntries(Array.from({ length }, (_, at) => [`k${at}`, null])));
    }
    for (const value of all) {
      const ours = encodeMsgpack(value);
      expect(ours).toEqual(encode(value));
      expect(decodeMsgpack(ours)).toEqual(plain(value));
    }
    // Forms that a writer need not use.
    for (const bytes of [
      [0xca, 0x3f, 0xc0, 0, 0],
      [0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
      [0xcf, 0, 0, 0, 0, 0, 0, 0, 5],
      [0xdd, 0, 0, 0, 1, 0xdb, 0, 0, 0, 1, 65],
    ]) {
      expect(decodeMsgpack(Uint8Array.from(bytes))).toEqual(decode(Uint8Array.from(bytes)));
    }
  });

  test("undefined is left out of objects and null in lists, as in JSON; a view of a larger buffer is taken for itself", () => {
    const value = { a: undefined, b: [undefined, 1], c: null };
    expect(decodeMsgpack(encodeMsgpack(value))).toEqual(JSON.parse(JSON.stringify(value)));
    const whole = Uint8Array.of(9, 9, 0xc4, 2, 1, 2, 9);
    expect(decodeMsgpack(whole.subarray(2, 6))).toEqual(Uint8Array.of(1, 2));
  });

  test("SE4 a member named __proto__ is a member", () => {
    const value = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}') as object;
    const read = decodeMsgpack(encodeMsgpack(value)) as object;
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(Object.keys(read)).toEqual(["__proto__", "constructor"]);
  });

  test.each<[string, number[]]>([
    ["nothing", []],
    ["two values", [1, 2]],
    ["the byte that stands for nothing", [0xc1]],
    ["an extension", [0xd4, 1, 0]],
    ["a time", [0xd6, 0xff, 0, 0, 0, 0]],
    ["a list of four thousand million", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map of four thousand million", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a map whose values can't all be there", [0x82, 0xa1, 97, 0xc0]],
    ["a text of four thousand million bytes", [0xdb, 0xff, 0xff, 0xff, 0xff, 65]],
    ["bytes that are cut off", [0xc4, 3, 1, 2]],
    ["a number that is cut off", [0xcf, 1, 2]],
    ["a name that is a number", [0x81, 1, 1]],
    ["a text that is no UTF-8", [0xa2, 0xc3, 0x28]],
    ["half a surrogate pair", [0xa3, 0xed, 0xa0, 0x80]],
    ["a number that is none", [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]],
    ["infinity", [0xca, 0x7f, 0x80, 0, 0]],
    ["33 levels", [...Array<number>(33).fill(0x91), 0xc0]],
    ["100,000 levels", Array<number>(100_000).fill(0x91)],
  ])("SE4 %s is invalid_frame", (_what, bytes) => {
    expect(codeOf(() => decodeMsgpack(Uint8Array.from(bytes)))).toBe("invalid_frame");
  });

  test("SE3 32 levels and a million values can be read, more can't", () => {
    expect(codeOf(() => decodeMsgpack(Uint8Array.from([...Array<number>(32).fill(0x91), 0xc0])))).toBe("ok");
    const list = (length: number): Uint8Array => {
      const bytes = new Uint8Array(5 + length).fill(0xc0);
      bytes.set([0xdd, length >>> 24, length >>> 16, length >>> 8, length]);
      return bytes;
    };
    expect(codeOf(() => decodeMsgpack(list(1_048_575)))).toBe("ok");
    expect(codeOf(() => decodeMsgpack(list(1_048_576)))).toBe("invalid_frame");
  });

  test("SE4 20,000 random messages, and good ones that were changed, are read or refused, never anything else", () => {
    const seed = Date.now() >>> 0;
    const random = seeded(seed);
    const good = [...clientFrames, ...serverFrames]
      .map(packFrame)
      .filter((data): data is Uint8Array => typeof data !== "string");
    let refused = 0;
    for (let round = 0; round < 20_000; round++) {
      const data =
        round % 4 === 0
          ? Uint8Array.from({ length: random.below(40) }, () => random.below(256))
          : Uint8Array.from(random.pick(good));
      for (let changes = random.below(4); changes > 0 && data.length > 0; changes--) {
        data[random.below(data.length)] = random.below(256);
      }
      const cut = random.below(3) === 0 ? data.subarray(0, random.below(data.length + 1)) : data;
      const [code, tolerant] = [codeOf(() => readAll(cut)), codeOf(() => msgpackCodec.decode(cut))];
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${cut}`).toContain(code);
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${cut}`).toContain(tolerant);
      if (code !== "ok") refused++;
    }
    expect(refused, `seed ${seed}`).toBeGreaterThan(5_000);
  }, 60_000);
});

describe("warp.v1 frames as MessagePack", () => {
  test("every frame is the same object as by JSON, and bytes are bytes", () => {
    for (const frame of clientFrames) {
      // A lone surrogate passes JSON, and is refused as a key; UTF-8 has no form of it.
      const wellFormed = JSON.parse(
        JSON.stringify(frame, (_, value: unknown) =>
          typeof value === "string" ? value.toWellFormed() : value instanceof Uint8Array ? [...value] : value,
        ),
      ) as unknown;
      const read = JSON.parse(
        JSON.stringify(readAll(packFrame(frame)), (_, value: unknown) =>
          value instanceof Uint8Array ? [...value] : value,
        ),
      ) as unknown;
      expect(read).toEqual(wellFormed);
    }
    for (const frame of serverFrames) {
      const read = msgpackCodec.decode(packFrame(frame));
      if (frame.t !== "we" && frame.t !== "snap" && frame.t !== "msg") {
        expect(read).toEqual(decodeServerFrame(encodeFrame(frame)));
        continue;
      }
      const { es } = read as typeof frame;
      const found = es[0]?.at(-1) as Uint8Array;
      expect(found).toEqual(Uint8Array.of(0, 255, 34, 92));
      expect(bytesOfWire(found)).toBe(found);
      const back = es.map((row: readonly unknown[]) =>
        row.map((one) => (one instanceof Uint8Array ? "AP8iXA==" : one)),
      );
      expect({ ...read, es: back }).toEqual(frame);
    }
  });

  test("what was made as text for many is packed from it", () => {
    for (const frame of serverFrames) {
      if (frame.t !== "ok") expect(packText(encodeFrame(frame))).toEqual(packFrame(frame));
    }
  });

  test("a beat is the text that the platform answers; no other text is a frame", () => {
    expect(packFrame({ t: "beat" })).toBe(beatFrame);
    expect(unpackFrame(beatFrame)).toEqual({ t: "beat" });
    expect(codeOf(() => unpackFrame('{"t":"bye"}'))).toBe("invalid_frame");
    expect(codeOf(() => unpackFrame(new Uint8Array(maxFrameBytes + 1)))).toBe("frame_too_large");
  });

  test("SE4 bytes where an object or a text must be are refused", () => {
    for (const frame of [
      new Uint8Array(3),
      { t: "sub", id: 1, key: new Uint8Array(1), mode: "all", from: "now" },
      { t: "hello", v: 1, node: "node-0001", cursor: new Uint8Array(1) },
      { t: "call", id: 1, m: "read", a: [new Uint8Array(1)] },
      { t: "call", id: 1, m: "read", a: new Uint8Array(1) },
    ]) {
      expect(codeOf(() => readAll(encodeMsgpack(frame)))).toBe("invalid_frame");
    }
  });
});

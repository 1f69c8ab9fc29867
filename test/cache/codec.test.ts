import { describe, expect, it } from "vitest";
import { isWarpError } from "../../src/errors.ts";
import { bytesCodec } from "../../src/runtime/codec.ts";

describe("the codec of bytes", () => {
  it("CA-11 passes bytes through both ways, unchanged and as copies of their own", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const payload = bytesCodec.encode(bytes);
    expect(payload.contentType).toBe("application/octet-stream");
    const decoded = bytesCodec.decode(payload);
    expect(decoded).toEqual(bytes);
    bytes[0] = 7;
    decoded[1] = 7;
    expect([...payload.bytes.subarray(0, 2)]).toEqual([0, 1]);
  });

  it("CA-11 refuses what is not bytes, to store and to read", () => {
    for (const value of ["text", 1, null, undefined, {}, [1, 2], new ArrayBuffer(2)]) {
      try {
        bytesCodec.encode(value as Uint8Array);
        expect.unreachable();
      } catch (error) {
        expect(isWarpError(error, "encode_failed")).toBe(true);
      }
    }
    for (const contentType of ["application/json", "text/plain", ""]) {
      try {
        bytesCodec.decode({ bytes: Uint8Array.of(1), contentType });
        expect.unreachable();
      } catch (error) {
        expect(isWarpError(error, "decode_failed")).toBe(true);
      }
    }
  });
});

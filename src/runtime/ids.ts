import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** A UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits. */
export function uuidv7(clock: Clock, random: Random): string {
  const bytes = random.bytes(16);
  let ms = Math.floor(clock.now());
  for (let i = 5; i >= 0; i--) {
    bytes[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
  return toHex(bytes).replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const uuidv7Form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The Unix milliseconds in a UUIDv7, or undefined where `id` is none (lower case only, so that one id has one form). */
export function uuidv7Time(id: string): number | undefined {
  if (!uuidv7Form.test(id)) return undefined;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** `count` random bytes as lower-case hex. */
export function randomHex(random: Random, count: number): string {
  return toHex(random.bytes(count));
}

function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

/** Small synchronous hashes. None of them is cryptographic. */

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

/**
 * MurmurHash3 x86 32-bit, as an unsigned number. Public domain algorithm by Austin Appleby; the key -> shard mapping depends on it,
 * so it never changes.
 */
export function murmur3(bytes: Uint8Array, seed = 0): number {
  const c1 = 0xcc9e2d51;
  const c2 = 0x1b873593;
  const blocks = bytes.length & ~3;
  let h = seed | 0;
  let k = 0;
  for (let i = 0; i < blocks; i += 4) {
    k =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    k = Math.imul(rotl(Math.imul(k, c1), 15), c2);
    h = (Math.imul(rotl(h ^ k, 13), 5) + 0xe6546b64) | 0;
  }
  k = 0;
  const rest = bytes.length & 3;
  if (rest === 3) k ^= (bytes[blocks + 2] as number) << 16;
  if (rest >= 2) k ^= (bytes[blocks + 1] as number) << 8;
  if (rest >= 1) {
    k ^= bytes[blocks] as number;
    h ^= Math.imul(rotl(Math.imul(k, c1), 15), c2);
  }
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 64 bits over `bytes` as 16 hex digits: two murmur3 lanes. Tells operations apart; proves nothing. */
export function fingerprint(bytes: Uint8Array): string {
  return hex32(murmur3(bytes, 0x9747b28c)) + hex32(murmur3(bytes, 0x3c6ef372));
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, "0");
}

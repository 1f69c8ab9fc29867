/** Randomness, as Warp asks a host for it. Tests and the simulation pass a seeded one. */
export interface Random {
  /** `count` random bytes, 1 to 65,536. Cryptographically strong on real hosts. */
  bytes(count: number): Uint8Array;
}

/** A uniform number in [0, 1) from 4 random bytes: for jitter, never for secrets. */
export function fraction(random: Random): number {
  const b = random.bytes(4);
  return ((((b[0] ?? 0) << 24) | ((b[1] ?? 0) << 16) | ((b[2] ?? 0) << 8) | (b[3] ?? 0)) >>> 0) / 2 ** 32;
}

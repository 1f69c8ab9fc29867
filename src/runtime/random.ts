/** Randomness, as Warp asks a host for it. Tests and the simulation pass a seeded one. */
export interface Random {
  /** `count` random bytes, 1 to 65,536. Cryptographically strong on real hosts. */
  bytes(count: number): Uint8Array;
}

/** A uniform number in [0, 1) from 4 random bytes: for jitter, never for secrets. */
export function fraction(random: Random): number {
  return random.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 32;
}

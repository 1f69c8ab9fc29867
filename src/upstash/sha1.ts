/** SHA-1 (RFC 3174) as hex: the name that Redis gives a script. Nothing else is to be built on it. */
export function sha1(bytes: Uint8Array): string {
  const blocks = (bytes.length + 8) >>> 6;
  const words = new Uint32Array((blocks + 1) * 16);
  for (let i = 0; i < bytes.length; i++) {
    words[i >>> 2] = (words[i >>> 2] ?? 0) | ((bytes[i] ?? 0) << (24 - (i & 3) * 8));
  }
  words[bytes.length >>> 2] = (words[bytes.length >>> 2] ?? 0) | (0x80 << (24 - (bytes.length & 3) * 8));
  words[words.length - 1] = bytes.length * 8;
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const w = new Uint32Array(80);
  for (let block = 0; block < words.length; block += 16) {
    for (let i = 0; i < 80; i++) {
      const mixed = (w[i - 3] ?? 0) ^ (w[i - 8] ?? 0) ^ (w[i - 14] ?? 0) ^ (w[i - 16] ?? 0);
      w[i] = i < 16 ? (words[block + i] ?? 0) : rotate(mixed, 1);
    }
    mix(state, w);
  }
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

const constants = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

function mix(state: Uint32Array, w: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = state;
  for (let i = 0; i < 80; i++) {
    const round = Math.floor(i / 20);
    const f = round === 0 ? (b & c) | (~b & d) : round === 2 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
    const next = (rotate(a, 5) + f + e + (constants[round] ?? 0) + (w[i] ?? 0)) | 0;
    [e, d, c, b, a] = [d, c, rotate(b, 30), a, next];
  }
  [a, b, c, d, e].forEach((part, i) => {
    state[i] = ((state[i] ?? 0) + part) | 0;
  });
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

import { WarpError } from "../errors.ts";
import { isWellFormed, utf8, utf8Length } from "../runtime/bytes.ts";
import { murmur3 } from "../runtime/hash.ts";
import { maxKeyBytes, maxPatternBytes, maxSpaceLength } from "../runtime/limits.ts";

/** Throws `invalid_key` unless `key` is 1 to 512 bytes of UTF-8. Any character is allowed, NUL and slashes included. */
export function checkKey(key: string): void {
  // The quick way out: a string of at most a third of the bound can't exceed it.
  if (key.length === 0) throw new WarpError("invalid_key", "the key is empty; a key has 1 to 512 bytes");
  if (key.length * 3 > maxKeyBytes && utf8Length(key) > maxKeyBytes) {
    throw new WarpError(
      "invalid_key",
      `the key has ${utf8Length(key)} bytes; a key has 1 to ${maxKeyBytes}`,
      {
        details: { bytes: utf8Length(key), max: maxKeyBytes },
      },
    );
  }
  if (!isWellFormed(key)) throw new WarpError("invalid_key", "the key has a lone surrogate; keys are UTF-8");
}

const spaceForm = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/;

/** Throws `invalid_key` unless `prefix` can begin a key; the empty one begins all. */
export function checkPrefix(prefix: string): void {
  if (prefix.length > maxKeyBytes || utf8Length(prefix) > maxKeyBytes || !isWellFormed(prefix)) {
    throw new WarpError("invalid_key", `a prefix has at most ${maxKeyBytes} bytes of UTF-8`, {
      details: { field: "prefix", max: maxKeyBytes },
    });
  }
}

/** Throws `invalid_space` unless `space` is 1 to 64 of `a-z 0-9 . _ -`, with a letter or digit at both ends. */
export function checkSpace(space: string): void {
  if (!isSpaceName(space)) {
    throw new WarpError(
      "invalid_space",
      `a space name has 1 to ${maxSpaceLength} of a-z 0-9 . _ - and begins and ends with a letter or digit`,
    );
  }
}

/** Whether `name` has the form of a space's name, which names of storages and fallbacks have, too. */
export function isSpaceName(name: unknown): name is string {
  return typeof name === "string" && name.length <= maxSpaceLength && spaceForm.test(name);
}

/** Throws `invalid_pattern` unless `pattern` is a key, or a prefix (empty allowed) that ends in `*`. A `*` elsewhere is itself. */
export function checkPattern(pattern: string): void {
  if (pattern === "" || utf8Length(pattern) > maxPatternBytes || !isWellFormed(pattern)) {
    throw new WarpError(
      "invalid_pattern",
      `a pattern is an exact key of 1 to ${maxKeyBytes} bytes or a prefix that ends in *`,
    );
  }
}

/** The form of a lease's id: chosen at random by the node that grants it. */
const leaseIdPattern = /^[a-z0-9]{16,64}$/;

/** Whether `id` has the form of a lease's id. */
export function isLeaseId(id: string): boolean {
  return leaseIdPattern.test(id);
}

/** Throws `invalid_argument` naming `field` unless `id` is 16 to 64 of `a-z 0-9`. */
export function checkLeaseId(id: string, field = "lease"): void {
  if (isLeaseId(id)) return;
  throw new WarpError("invalid_argument", "a lease's id is 16 to 64 of a-z and 0-9", { details: { field } });
}

/**
 * What decides a key's shard: the text between the first `{` and the next `}` if there is any (Redis Cluster's hash
 * tag rule), else the whole key.
 */
export function shardTag(key: string): string {
  const open = key.indexOf("{");
  if (open < 0) return key;
  const close = key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** The shard of `key` in a space of `shards` (1 to 256): murmur3 of its tag, modulo. Fixed for ever. */
export function shardOf(key: string, shards: number): number {
  return shards === 1 ? 0 : murmur3(utf8(shardTag(key))) % shards;
}

/**
 * Orders well-formed strings as their UTF-8 bytes. JavaScript's own order differs: it puts surrogates (characters beyond U+FFFF)
 * before U+E000 to U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const [xSurrogate, ySurrogate] = [(x & 0xf800) === 0xd800, (y & 0xf800) === 0xd800];
    return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1;
  }
  return a.length - b.length;
}

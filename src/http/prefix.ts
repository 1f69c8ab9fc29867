import { WarpError } from "../errors.ts";
import { isWellFormed, utf8Length } from "../runtime/bytes.ts";
import { maxKeyBytes } from "../runtime/limits.ts";

/** Throws `invalid_key` unless `prefix` can begin a key; the empty one begins all. */
export function checkPrefix(prefix: string): void {
  if (prefix.length > maxKeyBytes || utf8Length(prefix) > maxKeyBytes || !isWellFormed(prefix)) {
    throw new WarpError("invalid_key", `a prefix has at most ${maxKeyBytes} bytes of UTF-8`);
  }
}

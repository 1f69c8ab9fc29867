import { WarpError } from "../errors.ts";
import { isWellFormed, utf8Length } from "../runtime/bytes.ts";
import { maxLockNameBytes } from "../runtime/coordination-limits.ts";

/** Throws `invalid_lock` unless `name` is 1 to 512 bytes of UTF-8. Any character is allowed; a `{tag}` puts a lock beside its keys. */
export function checkLockName(name: string): void {
  if (name !== "" && utf8Length(name) <= maxLockNameBytes && isWellFormed(name)) return;
  throw new WarpError("invalid_lock", `a lock's name has 1 to ${maxLockNameBytes} bytes of UTF-8`, {
    details: { field: "name", min: 1, max: maxLockNameBytes },
  });
}

/** Throws `invalid_argument` unless `fence` is a positive whole number. */
export function checkFence(fence: number): void {
  if (Number.isSafeInteger(fence) && fence >= 1) return;
  throw new WarpError("invalid_argument", "a fence is a whole number from 1 on", {
    details: { field: "fence", min: 1, max: Number.MAX_SAFE_INTEGER },
  });
}

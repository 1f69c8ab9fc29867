import type { BackingEntry } from "../../backing/backing.ts";
import { fingerprint } from "../../runtime/hash.ts";

/** What the storage has, told apart from what else it could have: another Warp's stamp, or a digest of a value without one. */
export function sourceOf({ stamp, payload }: BackingEntry): string {
  if (stamp !== undefined) return `${stamp.epoch}.${stamp.version}`;
  return `${payload.contentType};${payload.bytes.length};${fingerprint(payload.bytes)}`;
}

import type { RedisBed } from "../support/redis-bridge/bed.ts";

const unhex =
  "return redis.call('SET', KEYS[1], (ARGV[1]:gsub('..', function(h) return string.char(tonumber(h, 16)) end)))";

/** Stores bytes under a name in Redis, as another program does: commands of the bed are text. */
export async function setBytes(bed: RedisBed, name: string, bytes: Uint8Array): Promise<void> {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  await bed.command("EVAL", unhex, "1", name, hex);
}

import { backingTimeoutMs } from "../../runtime/backing-limits.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { StorageParts } from "./storage-parts.ts";

const limits = { timeoutMs: backingTimeoutMs };

/**
 * Removes all that a space has in its storage, once its other shards are gone. First no position is any more what a batch of theirs expects that
 * is still on its way: it would put back what was removed before it.
 */
export async function clearStorage({ space, backing, random }: StorageParts): Promise<void> {
  for (let shard = 0; shard < space.shards; shard++) {
    const found = await backing.position(shard, limits);
    if (found === null) continue;
    await backing.bind(shard, found, { epoch: randomHex(random, 8), revision: 0, seq: 0 }, limits);
  }
  while (!(await backing.clear(limits)));
}

import { backingTimeoutMs } from "../../runtime/backing-limits.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { StorageParts } from "./storage-parts.ts";

const limits = { timeoutMs: backingTimeoutMs };

/**
 * Removes all that a space has in its storage, once its other shards are gone. First no position is any more what a batch of theirs expects that
 * is still on its way: it would put back what was removed before it. Where another deployment has taken the storage over since, all of it is that one's, and stays.
 */
export async function clearStorage({ space, backing, random, mark, report }: StorageParts): Promise<void> {
  // Who has bound it stands behind the last shard. A space that has not yet done so itself has taken over what it found.
  const owner = mark.read() === undefined ? null : await backing.position(space.shards, limits);
  if (owner !== null && owner.epoch !== space.id) {
    report?.("the storage of a space that was deleted is another deployment's and stays as it is", {
      space: space.name,
    });
    return;
  }
  for (let shard = 0; shard < space.shards; shard++) {
    const found = await backing.position(shard, limits);
    if (found === null) continue;
    await backing.bind(shard, found, { epoch: randomHex(random, 8), revision: 0, seq: 0 }, limits);
  }
  while (!(await backing.clear(limits)));
}

import type { Mutant } from "./mutant.ts";

const sender = "src/shard/backing/sender.ts";
const binding = "src/shard/backing/binding.ts";
const refills = "src/shard/backing/refills.ts";
const table = "src/shard/backing/outbox-table.ts";
const changes = "src/shard/key-changes.ts";

/** Bugs of a shard in carrying its log to the storage behind it. */
const bugs: readonly Mutant[] = [
  {
    name: "batch before durable",
    file: sender,
    find: "table.page(isFirst ? position.revision : durable, limits)",
    replace: "table.page(isFirst ? position.revision : Number.MAX_SAFE_INTEGER, limits)",
    what: "what is not durable yet goes to the storage",
  },
  {
    name: "expired key stays in the storage",
    file: changes,
    find: "this.#outbox?.add({ revision, seq: this.#log.seq, key, atMs });",
    replace: 'if (kind === "delete") this.#outbox?.add({ revision, seq: this.#log.seq, key, atMs });',
    what: "the end of a key's life is not written into the outbox",
  },
  {
    name: "outbox forgets parts of a transaction",
    file: changes,
    find: "const { seq } = this.#log;",
    replace: "const seq = 0;",
    what: "all parts of a transaction have one place in the outbox",
  },
  {
    name: "lost tail is not made good",
    file: binding,
    find: "return await this.#note(epoch, { shard, position: found, ...again });",
    replace: "return await this.#note(epoch, { shard, position: found, ...(isInLog ? {} : again) });",
    what: "a storage that has lost its newest batches is told only what is new",
  },
  {
    name: "lost deletions stay lost",
    file: refills,
    find: "AND kind IN ('set', 'delete', 'expire')",
    replace: "AND kind IN ('set')",
    what: "deletions that the storage has lost do not go there again",
  },
  {
    name: "emptied storage stays empty",
    file: binding,
    find: "return await this.#begin(epoch, shard, null, mark);",
    replace: "return await this.#begin(epoch, shard, null, undefined);",
    what: "what was confirmed does not go again to a storage that was emptied",
  },
  {
    name: "keys go again beside what waits",
    file: refills,
    find: "FROM keys WHERE (version <= ? OR source IS NOT NULL)",
    replace: "FROM keys WHERE (version <= ? + 1000000 OR source IS NOT NULL)",
    what: "a key whose newer value waits in the outbox goes with it, and then goes back to an older one",
  },
  {
    name: "new epoch leaves the storage as it is",
    file: binding,
    find: "if (mark === undefined) return {};",
    replace:
      "if (mark === undefined || mark.position.epoch !== this.#parts.residence.open()?.epoch) return {};",
    what: "a storage that has a future which this log has lost keeps it",
  },
  {
    name: "storage's place is believed",
    file: binding,
    find: "if (!isOurs) return await this.renew(epoch);",
    replace: "",
    what: "a place that this log has not reached, or under which it has something else, is taken for a lost answer",
  },
  {
    name: "nothing is proven",
    file: binding,
    find: "return entry?.stamp?.version === last.version && entry.modifiedAtMs === last.atMs;",
    replace: "return true;",
    what: "a log that was set back takes the storage's place for its own where it has given the same revision again",
  },
  {
    name: "through does not wait",
    file: "src/shard/backing/storage-waits.ts",
    find: "return revision > this.#confirmed && this.#table.awaits(revision);",
    replace: "return false;",
    what: "a write is said to be in the storage that is not there yet",
  },
  {
    name: "through is told of half a revision",
    file: table,
    find: "{ changes, wholeTo: last - 1 }",
    replace: "{ changes, wholeTo: last }",
    what: "a transaction is said to be in the storage when a part of it is",
  },
  {
    name: "nobody looks after what waits",
    file: sender,
    find: "else this.#lookAtMs ??= clock.now() + lookAfterMs;",
    replace: "",
    what: "no alarm is set while something waits: an instance that ends leaves it there",
  },
  {
    name: "failed batch is not tried again",
    file: sender,
    find: "if (this.#retryAtMs !== undefined) return this.#retryAtMs;",
    replace: "if (this.#retryAtMs !== undefined) return undefined;",
    what: "no alarm is set after an attempt that failed",
  },
  {
    name: "outbox is counted twice",
    file: sender,
    find: "if (removed !== undefined) this.#count.removed(removed);",
    replace: "",
    what: "what has gone to the storage is still counted as waiting",
  },
  {
    name: "confirmed rows stay",
    file: sender,
    find: "return table.removeTo(position);",
    replace: "return { entries: 0, bytes: 0 };",
    what: "what the storage has confirmed is sent again",
  },
];

export const storageMutants: readonly Mutant[] = bugs.map((bug) => ({ ...bug, world: "storage" as const }));

/**
 * Which eviction policy hits how often? Percent of hits on four kinds of load, one line for each; the same seed gives the same figures.
 *
 *     node bench/hit-ratio/hit-ratio.ts [entries] [reads] [seed]
 */

import { type EvictionPolicyName, memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { hitPercent, traces } from "../../test/cache/traces.ts";
import { entryOf } from "../../test/contract/cache-entry.ts";
import { seeded } from "../../test/support/seeded.ts";

const [entries = 1_000, reads = 300_000, seed = 7] = process.argv.slice(2).map(Number);
const policies: readonly EvictionPolicyName[] = ["s3-fifo", "lru", "lfu", "adaptive"];
const entry = entryOf(1);

console.log(`${entries} entries, ${reads} reads, seed ${seed}: percent of hits`);
console.log(`| load | ${policies.join(" | ")} | what it stands for |`);
console.log(`|---|${policies.map(() => "--:|").join("")}---|`);
for (const { name, says, keys } of traces(seeded, seed, entries, reads)) {
  const figures = policies.map((policy) =>
    hitPercent(memoryCache({ policy, maxEntries: entries, maxBytes: 2 ** 40 }), keys, entry).toFixed(1),
  );
  console.log(`| ${name} | ${figures.join(" | ")} | ${says} |`);
}

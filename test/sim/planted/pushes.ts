import type { Mutant } from "./mutant.ts";

/** Bugs of nodes in taking in what shards push. */
export const pushMutants: readonly Mutant[] = [
  {
    name: "acknowledged before the drop",
    file: "src/connection/socket/session.ts",
    find: "this.#events.invalidate({ epoch, revision: at, keys, prefixes, tags }),\n    );",
    replace:
      "{ this.#parts.timers.after(20, () => void this.#events.invalidate({ epoch, revision: at, keys, prefixes, tags })); return []; });",
    what: "an invalidation is acknowledged at its arrival and carried out 20 ms later",
    shape: "holders",
  },
  {
    name: "push moves on and drops nothing",
    file: "src/core/push-intake.ts",
    find: "this.#follower.outdate(shard, newer(changes, view.revision))",
    replace: "this.#follower.outdate(shard, newer(changes, to))",
    what: "pushed entries move the followed position and leave the copies",
  },
  {
    name: "lost gap ignored",
    file: "src/core/push-intake.ts",
    find: "else if (view.revision < revision) this.#follower.doubt(shard);",
    replace: "else view.appliedThrough(view.revision, revision);",
    what: "a gap is taken for entries that were applied",
    shape: "absence",
  },
];

import type { Mutant } from "./mutant.ts";

/** Bugs of the ends of leases. */
export const leaseMutants: readonly Mutant[] = [
  {
    name: "lease end is no strong write",
    file: "src/shard/strong/strong.ts",
    find: "const { opId, claims, reach } = operation;",
    replace: "const { opId, claims, reach } = operation; if (operation.withoutQuorum === true) return false;",
    what: "the end of a lease deletes keys that nodes may still serve",
    shape: "ends of leases",
  },
  {
    name: "lease member not joined",
    file: "src/shard/lease/joins.ts",
    find: "await askPeer(timers, leaseJoinTimeoutMs, () =>",
    replace: "if (space === '') await askPeer(timers, leaseJoinTimeoutMs, () =>",
    what: "keys are attached in a shard of which the lease's home does not know",
    shape: "ends of leases",
  },
  {
    name: "lease end leaves no tombstone",
    file: "src/shard/lease/attachment-table.ts",
    find: 'if (!this.isEnded(lease)) this.#sql.run("INSERT OR IGNORE INTO lease_joins VALUES (?)", lease);',
    replace: 'this.#sql.run("INSERT OR IGNORE INTO lease_joins VALUES (?)", lease);',
    what: "an answer that was under way when a lease ended lets keys be attached to it",
    shape: "ends of leases",
  },
  {
    name: "lease end is not carried on",
    file: "src/shard/lease/lease-ends.ts",
    find: 'if (ends[at]?.status === "fulfilled") leases.table.removeMember(id, member);',
    replace: "leases.table.removeMember(id, member);",
    what: "a shard that did not confirm the end of a lease is not asked again",
    shape: "ends of leases",
  },
];

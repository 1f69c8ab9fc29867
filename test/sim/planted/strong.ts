import type { Mutant } from "./mutant.ts";

/** Bugs of strong writes, of the authority, of quorums. */
export const strongMutants: readonly Mutant[] = [
  {
    name: "eventual writer skips holders",
    file: "src/shard/strong/strong.ts",
    find: "this.#isHeld(reach) ||",
    replace: "",
    what: "a write does not ask whether anyone holds the key",
  },
  {
    name: "commit before the acknowledgements",
    file: "src/shard/strong/strong-write.ts",
    find: "await leases.follow(round, called);",
    replace: "void leases.follow(round, called);",
    what: "a strong write commits when its invalidations are sent",
  },
  {
    name: "first acknowledgement is enough",
    file: "src/shard/strong/round.ts",
    find: "this.#awaited.delete(session);\n    this.#acknowledged.push(called);",
    replace: "this.#awaited.clear();\n    this.#acknowledged.push(called);",
    what: "a strong write waits for the fastest of its holders",
  },
  {
    name: "holder that left is forgotten",
    file: "src/shard/strong/round.ts",
    find: "this.#awaited.set(session, { ...called, n: undefined, voter: undefined });",
    replace: "this.#awaited.delete(session);",
    what: "a holder whose socket broke is not waited for, though its lease runs",
  },
  {
    name: "permission given during an intent",
    file: "src/shard/strong/strong.ts",
    find: "return !this.#claims.has(key) && this.#leases.permit",
    replace: "return this.#leases.permit",
    what: "a key that is about to change is given to a holder again, who is not told",
    also: [
      {
        file: "src/shard/strong/strong-write.ts",
        find: "if (keys.some((key) => holders.has(key))) return false;",
        replace: "",
      },
    ],
  },
  {
    name: "renewal by a superseded instance",
    file: "src/shard/strong/authority.ts",
    find: "return this.#elapsed.now() - this.#confirmedMs < barrierMs;",
    replace: "return this.#confirmedMs > Number.NEGATIVE_INFINITY;",
    what: "an instance that was superseded goes on granting leases and answering strong reads",
  },
  {
    name: "successor does not wait",
    file: "src/shard/strong/strong.ts",
    find: "if (Object.keys(noted).length > 0) this.#guard",
    replace: "if (Object.keys(noted).length > 1_000) this.#guard",
    what: "a new instance writes keys that nodes may hold by leases of the one before",
  },
  {
    name: "successor waits for the barrier alone",
    file: "src/shard/strong/guard.ts",
    find: 'const waitMs = use === "hold" ? barrierMs + nodeLeaseMs : barrierMs;',
    replace: "const waitMs = barrierMs;",
    what: "a new instance does not wait for the leases that the one before may have granted",
  },
  {
    name: "what is held is not noted",
    file: "src/shard/strong/standing.ts",
    find: "if (taken.size > 0) ledger.meta.held = written;",
    replace: "",
    what: "a successor does not learn which keys may be held",
  },
  {
    name: "strong write sealed on its way",
    file: "src/shard/strong/strong.ts",
    find: "return this.#claims.has(opId);",
    replace: "return false;",
    what: "a strong write that is under way is sealed, and is carried out all the same",
  },
  {
    name: "writer counts for its quorum",
    file: "src/shard/strong/leases.ts",
    find: "const isVoter = member !== undefined && n !== undefined && member.node !== writer;",
    replace: "const isVoter = member !== undefined && n !== undefined;",
    what: "the writer's own node makes its quorum",
    also: [
      {
        file: "src/shard/strong/strong-write.ts",
        find: "return this.#parts.members().filter(({ node }) => node !== this.#request.writer);",
        replace: "return this.#parts.members();",
      },
    ],
  },
  {
    name: "one node counts twice",
    file: "src/shard/strong/quorum.ts",
    find: "for (const { node, zone } of voters) if (found.get(node) === undefined) found.set(node, zone);",
    replace: "for (const { zone } of voters) found.set(String(found.size), zone);",
    what: "two sessions of one node make a quorum of two",
  },
  {
    name: "zones not counted",
    file: "src/shard/strong/quorum.ts",
    find: "return found.nodes >= nodes && found.zones >= zones;",
    replace: "return found.nodes >= nodes;",
    what: "a quorum is met in fewer zones than it wants",
  },
];

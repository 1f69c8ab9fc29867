import type { Edit, Mutant } from "./mutant.ts";

/** The look, in the stretch of the commit, whether anyone was given the key meanwhile: what guards against most of these a second time. */
const unlooked: Edit = {
  file: "src/shard/strong/strong-write.ts",
  find: "if (keys.some((key) => holders.has(key))) return false;",
  replace: "",
};

/** Bugs of strong writes: whom they ask and wait for, what they leave behind. */
export const writeMutants: readonly Mutant[] = [
  {
    name: "writer without a session skips holders",
    file: "src/shard/write-path.ts",
    find: "if (this.#strong.concerns(ledger, request.operations)) {",
    replace: "if (request.writer !== undefined && this.#strong.concerns(ledger, request.operations)) {",
    what: "a write from a door or an eventual writer commits without asking who holds the key",
    shape: "holders",
  },
  {
    name: "holder without a socket not waited for",
    file: "src/shard/strong/leases.ts",
    find: "const untilMs = held.has(session) ? state.untilMs : Number.NEGATIVE_INFINITY;",
    replace:
      "const untilMs = held.has(session) && n !== undefined ? state.untilMs : Number.NEGATIVE_INFINITY;",
    what: "who has lost its socket is taken for one that serves nothing, though its lease runs",
    shape: "holders",
  },
  {
    name: "release before the commit",
    file: "src/shard/strong/strong-write.ts",
    find: "await leases.follow(round, called);",
    replace:
      "await leases.follow(round, called); this.#parts.claims.leave(this.#turn); this.#turn.names.clear();",
    also: [unlooked],
    what: "a strong write gives up its keys when all have acknowledged, before it has committed",
    shape: "holders",
  },
  {
    name: "plain write passes a claimed key",
    file: "src/shard/strong/strong.ts",
    find: "claims.some((key) => this.#claims.has(key)) ||",
    replace: "",
    what: "a write commits while another one waits for the holders of the same key",
    shape: "holders",
  },
  {
    name: "prefix invalidation skips holders",
    file: "src/shard/strong/strong.ts",
    find: "prefixes.some((prefix) => isAny(this.#holders.withPrefix(prefix))) ||",
    replace: "",
    what: "an invalidation of a prefix is answered before those who hold such keys have dropped them",
    shape: "invalidations",
  },
  {
    name: "tag invalidation skips holders",
    file: "src/shard/strong/strong.ts",
    find: "tags.some((tag) => isAny(this.#holders.withTag(tag)))",
    replace: "false",
    what: "an invalidation of a tag is answered before those who hold such values have dropped them",
    shape: "invalidations",
  },
  {
    name: "intent not stored",
    file: "src/shard/strong/strong-write.ts",
    find: "present.intents.add(",
    replace: "((..._row: unknown[]) => {})(",
    what: "holders are told of a write of which a successor would know nothing",
    shape: "holders",
  },
  {
    name: "margin of the lease ignored",
    file: "src/shard/strong/leases.ts",
    find: "state.untilMs = this.#parts.elapsed.now() + nodeLeaseMs * (1 + clockRateMargin);",
    replace: "state.untilMs = this.#parts.elapsed.now() + nodeLeaseMs;",
    also: [
      {
        file: "src/connection/socket/node-lease.ts",
        find: "sentAtMs + leaseMs * (1 - clockRateMargin)",
        replace: "sentAtMs + leaseMs",
      },
    ],
    what: "shard and node count a lease to its very end, each by its own clock",
    shape: "lease end",
  },
  {
    name: "lease renewed without a barrier",
    file: "src/shard/strong/leases.ts",
    find: 'if (standing.holds(this.#patterns, "hold")) return await this.#grant(session);',
    replace:
      'if (this.leaseUntilMs(session) > this.#parts.elapsed.now() || standing.holds(this.#patterns, "hold")) return await this.#grant(session);',
    what: "a lease that runs is renewed without asking whether this instance is still the one",
    shape: "succession",
  },
  {
    name: "missed quorum written all the same",
    file: "src/shard/strong/strong-write.ts",
    find: "if (!round.meets(quorum)) plan.failed.set(",
    replace: "if (round === undefined) plan.failed.set(",
    what: "when the time of a quorum is over the write commits",
    shape: "quorum",
  },
  {
    name: "refused for its quorum and done",
    file: "src/shard/strong/strong-write.ts",
    find: "const refused = operation.refused(error.toData());",
    replace: "operation.apply(ledger, nowMs); const refused = operation.refused(error.toData());",
    what: "a write that was refused for its quorum is carried out nevertheless",
    shape: "quorum",
  },
];

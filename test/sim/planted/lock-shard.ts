import type { Mutant } from "./mutant.ts";

/** Bugs of locks, in the shard around the table: what is durable, what is told when, whose word counts. */
export const lockShardMutants: readonly Mutant[] = [
  {
    name: "lock: fences forgotten",
    file: "src/shard/change-log.ts",
    find: "this.#marks.reserved = this.#head;\n    this.#reserved",
    replace: "this.#reserved",
    what: "how far revisions were given without an entry is not stored: the next instance gives them again",
    shape: "lock succession",
  },
  {
    name: "lock: repeat acquires again",
    file: "src/shard/lock/lock-commits.ts",
    find: "if (known !== undefined) {",
    replace: 'if (known !== undefined && command.kind !== "acquire") {',
    also: [
      {
        file: "src/shard/lock/lock-commits.ts",
        find: "verdicts.keep(command.opId, nowMs, { print, verdict });",
        replace: "if (known === undefined) verdicts.keep(command.opId, nowMs, { print, verdict });",
      },
    ],
    what: "a command that is sent again is granted a second time",
    shape: "lock repeats",
  },
  {
    name: "lock: early by a set clock",
    file: "src/shard/lock/elapsed-deadlines.ts",
    find: "if (known === undefined) return deadlineMs;",
    replace: "if (known === undefined || known > 0) return deadlineMs;",
    what: "a wall clock that is set forward ends grants before their time",
    shape: "lock clock",
  },
  {
    name: "lock: offers not told",
    file: "src/shard/lock/lock-instance.ts",
    find: "this.#unsaid.push(...this.#said);",
    replace: "this.#unsaid.push(...this.#said.slice(1));",
    what: "of those who wait, the first that a commit has something for is not woken",
    shape: "lock crowd",
  },
  {
    name: "lock: not told after a failed commit",
    file: "src/shard/lock/lock-instance.ts",
    find: "for (const poll of [...tickets].flatMap((ticket) => this.polls.of(ticket))) {",
    replace:
      "for (const poll of [...tickets].filter((ticket) => !lostTickets.has(ticket) && (lostTickets.add(ticket), true)).flatMap((ticket) => this.polls.of(ticket))) {",
    also: [
      {
        file: "src/shard/lock/lock-instance.ts",
        find: "/** No sockets are open. */",
        replace: "const lostTickets = new Set<string>();\n/** No sockets are open. */",
      },
    ],
    what: "what was found out for waiters in a group that was undone is not found again",
    shape: "lock storage",
  },
  {
    name: "lock: told before it is durable",
    file: "src/shard/lock/lock-instance.ts",
    find: "    try {\n      await durable();",
    replace: "    for (const say of unsaid.splice(0)) say();\n    try {\n      await durable();",
    what: "waiters are told of their offers before these are stored",
    shape: "lock crowd",
  },
  {
    name: "lock: guards not asked",
    file: "src/shard/fences.ts",
    find: "if (!locks.isHeld(guard.lock, guard.fence)) throw notHeld(guard);",
    replace: "",
    what: "a write under a fence that is over is let through",
    shape: "lock guards",
  },
  {
    name: "lock: low fences from elsewhere",
    file: "src/shard/fences.ts",
    find: "if (guard.fence < seen) throw fenceBelow(guard, seen);",
    replace: "",
    what: "a key takes writes under a fence lower than one that it has seen",
    shape: "lock guards",
  },
];

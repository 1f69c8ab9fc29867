import type { Mutant } from "./mutant.ts";

/** Bugs of the hub: what is pushed, when, and to whom. */
export const hubMutants: readonly Mutant[] = [
  {
    name: "publish before store",
    file: "src/shard/published-log.ts",
    find: "await this.#durable();",
    replace: "await undefined;",
    what: "entries of the log are pushed before they are durable",
  },
  {
    name: "pending publish dropped",
    file: "src/shard/hub/pacer.ts",
    find: "this.#waiting = false;\n      try {\n        this.#push();",
    replace:
      "this.#waiting = false;\n      try {\n        (this.#options as unknown as { skip(): void }).skip();",
    also: [
      {
        file: "src/shard/hub/pushes.ts",
        find: "push: () => this.#push(), elapsed,",
        replace:
          "push: () => this.#push(), skip: () => { const head = published.position; if (head !== undefined) for (const session of followers()) session.position = head; }, elapsed,",
      },
    ],
    what: "what came within 16 ms of a push is taken for pushed and never is",
  },
  {
    name: "resumed at the head",
    file: "src/shard/hub/greeting.ts",
    find: 'session.position = resumed === "replay" && cursor !== undefined ? cursor : head;',
    replace: "session.position = head;",
    what: "a session that was promised a replay is told only what comes next",
  },
  {
    name: "push cuts a revision",
    file: "src/shard/published-log.ts",
    find: "const to = Math.min(head, beyond - 1);",
    replace: "const to = Math.min(head, beyond);",
    also: [
      {
        file: "src/runtime/limits.ts",
        find: "export const maxPushEntries = 1_000;",
        replace: "export const maxPushEntries = 4;",
      },
      {
        file: "src/shard/published-log.ts",
        find: "const found = log.since(after, maxPushEntries + 1);",
        replace: "const found = log.since(after, maxPushEntries + 1).slice(0, maxPushEntries + 1);",
      },
    ],
    what: "a push ends in the midst of a transaction, and the next one begins after it",
    shape: "eventual transactions",
  },
  {
    name: "position of a push not told",
    file: "src/shard/hub/feed.ts",
    find: "session.position = { epoch: head.epoch, revision: page.to };",
    replace: "session.position = { epoch: head.epoch, revision: page.to + 1 };",
    what: "after each push the session counts one entry more as pushed than was",
  },
];

import type { OpenBehind } from "../behind.ts";
import { Values } from "./values.ts";

export { brokenBacking } from "./broken-backing.ts";

/** What a shard of a space with a storage works with, beside what every shard has. */
export const openBehind: OpenBehind = (parts, space, backing) => {
  const values = new Values(parts, space, backing);
  return {
    begin: () => values.begin(),
    due: { nextMs: () => undefined, run: () => {} },
    full: () => undefined,
    mutated: async (reply) => reply,
    transacted: async (reply) => reply,
    usage: () => ({ entries: 0, bytes: 0, lagMs: 0 }),
    idle: async () => {},
    clear: async () => {},
    end: () => {
      values.end();
      backing.close();
    },
  };
};

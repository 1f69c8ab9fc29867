import { spacePath } from "../../client/path.ts";
import type { Command } from "../command.ts";
import { shownTime, table } from "../text.ts";

const name = { name: "NAME", optional: true, help: "the space; default --space" } as const;

export const spaceCreate: Command = {
  name: "space create",
  summary: "create a space",
  arguments: [name],
  flags: [
    { name: "shards", value: "N", help: "1 to 256, for ever; default 1" },
    { name: "strict", help: "refuse keys without a registration" },
  ],
  notes: [
    "Spaces are also made by their first write. The same settings again are no error, others a conflict.",
  ],
  examples: [
    { line: "warp space create orders --shards 4", prints: ["orders is created with 4 shards"] },
    { line: "warp space create orders --shards 8", exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const shards = args.wholeNumber("shards", 1);
    const answer = await client.json<{ name: string; shards: number; created: boolean }>({
      method: "PUT",
      path: spacePath(args.positionals[0] ?? space),
      json: { ...(shards === undefined ? {} : { shards }), ...(args.has("strict") ? { strict: true } : {}) },
      mutation: true,
    });
    const said = `${answer.name} ${answer.created ? "is created" : "is there already,"} with ${answer.shards} shards`;
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${said}\n`);
    return undefined;
  },
};

interface ShownSpace {
  readonly name: string;
  readonly shards: number;
  readonly strict: boolean;
  readonly createdAtMs: number;
  readonly usage: { readonly keys: number; readonly valueBytes: number; readonly databaseBytes: number };
}

export const spaceShow: Command = {
  name: "space show",
  summary: "print a space's settings and what it holds",
  arguments: [name],
  flags: [],
  examples: [{ line: "warp space show" }, { line: "warp space show nowhere", exit: 3 }],
  async run({ client, space, host, json }, args) {
    const path = spacePath(args.positionals[0] ?? space);
    const answer = await client.json<ShownSpace>({ method: "GET", path });
    const { usage } = answer;
    const rows = [
      ["name", answer.name],
      ["shards", String(answer.shards)],
      ["strict", answer.strict ? "yes" : "no"],
      ["created", shownTime(answer.createdAtMs)],
      ["keys", String(usage.keys)],
      ["value bytes", String(usage.valueBytes)],
      ["database bytes", String(usage.databaseBytes)],
    ];
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : table(rows));
    return undefined;
  },
};

export const spaceDelete: Command = {
  name: "space delete",
  summary: "delete a space and all its data",
  arguments: [{ name: "NAME", help: "the space; it has to be named here" }],
  flags: [],
  notes: ["After a failure in the middle the same command goes on."],
  examples: [{ line: "warp space delete old", prints: ["old is deleted"] }],
  async run({ client, host, json }, args) {
    const path = spacePath(args.at(0));
    const answer = await client.json<{ name: string }>({ method: "DELETE", path, mutation: true });
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${answer.name} is deleted\n`);
    return undefined;
  },
};

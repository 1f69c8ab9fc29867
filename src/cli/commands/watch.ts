import { payloadOf } from "../../client/record.ts";
import { type ToldItem, type ToldKey, watchKeys } from "../../client/watches.ts";
import { usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { prefixFlag } from "../flags.ts";
import { oneLine, shownName, shownValue } from "../text.ts";

/** The lines that tell of an item. */
function linesOf(item: ToldItem): readonly string[] {
  switch (item.kind) {
    case "snapshot":
      return item.entries.map((entry) => lineOf("snapshot", entry));
    case "gap":
      return [`gap ${item.why}`];
    case "missed":
      return ["missed"];
    default:
      return [lineOf(item.kind, item)];
  }
}

function lineOf(kind: string, told: ToldKey): string {
  const head = `${kind} ${shownName(told.key)}`;
  if (told.omitted === true) return `${head} (not in the log any more: read the key)`;
  const payload = payloadOf(told);
  return payload === undefined ? head : `${head} ${shownValue(payload.bytes, payload.contentType)}`;
}

export const watch: Command = {
  name: "watch",
  summary: "print what happens to a key or a prefix, as it happens",
  arguments: [{ name: "KEY", optional: true, help: "the key" }],
  flags: [
    prefixFlag,
    {
      name: "from",
      value: "FROM",
      help: "snapshot: the state first; or a cursor, as --json prints it: what has happened since. Default now",
    },
    {
      name: "mode",
      value: "MODE",
      choices: ["all", "latest", "keys"],
      help: "all; latest: the newest of each key; keys: without values",
    },
    {
      name: "op",
      value: "OP",
      multiple: true,
      choices: ["set", "delete", "expire", "publish"],
      help: "only these; several times. Default all",
    },
    { name: "count", value: "N", help: "end after so many lines" },
  ],
  notes: [
    "One line for each change: what happened, the key, the value. With --json each line is an item as the HTTP pages describe it, with its cursor.",
    "When the connection breaks it is made anew, and goes on where it was. What could not be told is a line: gap, or missed for publications.",
  ],
  examples: [
    {
      line: "warp watch --prefix user: --from snapshot --count 2",
      prints: ['snapshot user:1 {"name":"Ada"}', 'snapshot user:2 {"name":"Grace"}'],
    },
    { line: "warp watch user:1 --from snapshot --mode keys --count 1", prints: ["snapshot user:1"] },
  ],
  async run({ client, space, host, json }, args) {
    const [key] = args.positionals;
    const prefix = args.text("prefix");
    if ((key === undefined) === (prefix === undefined))
      throw usageError("name exactly one of KEY and --prefix");
    const ops = args.all("op");
    const asked = {
      ...{ key, prefix, from: args.text("from"), mode: args.text("mode") },
      ops: ops.length === 0 ? undefined : ops.join(","),
    };
    let left = args.wholeNumber("count", 1) ?? Number.POSITIVE_INFINITY;
    const { timers, random, stdout, stderr } = host;
    const items = watchKeys(client, space, asked, {
      timers,
      random,
      broke: async (error) => await stderr.write(`warp: ${oneLine(error.message)}; trying again\n`),
    });
    for await (const item of items) {
      for (const line of json ? [JSON.stringify(item)] : linesOf(item)) {
        await stdout.write(`${line}\n`);
        if (--left <= 0) return undefined;
      }
    }
    return undefined;
  },
};

import { mergeKey } from "../../client/keys.ts";
import type { Command } from "../command.ts";
import { changeOptions, fenceFlag, ifVersionFlag, opIdFlag } from "../flags.ts";
import { shownName, writtenAs } from "../text.ts";
import { readPayload } from "../value.ts";

export const merge: Command = {
  name: "merge",
  summary: "merge an operand into a value by the key's rule",
  arguments: [
    { name: "KEY", help: "the key; its registration names the rule" },
    { name: "OPERAND", optional: true, help: "the operand itself; @FILE; - or nothing for stdin" },
  ],
  flags: [
    { name: "type", value: "TYPE", help: "media type, or json, text or bytes; default json" },
    { name: "expires", value: "TIME", help: "life of the value: 10m, 7d …; default: as it is" },
    {
      name: "tag",
      value: "TAG",
      multiple: true,
      help: "a tag of the value; several times; default: as they are",
    },
    ifVersionFlag,
    fenceFlag,
    opIdFlag,
  ],
  notes: ["An operand that begins with a dash goes after --, one that begins with @ through stdin."],
  examples: [
    { line: "warp register 'visits:*' --merge sum" },
    { line: "warp merge visits:home 1", prints: ["visits:home is at version <n>"] },
    {
      line: "warp merge visits:home 2 && warp get visits:home",
      prints: ["visits:home is at version <n>", "3"],
    },
    { line: "warp merge visits:home -- -1" },
    { line: "warp merge user:1 1", exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const options = changeOptions(args);
    const expiresInMs = args.durationMs("expires");
    const tags = args.all("tag");
    const operand = await readPayload(args, host, () => "json");
    const change = await mergeKey(client, space, args.at(0), operand, {
      ...options,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(tags.length === 0 ? {} : { tags }),
    });
    await host.stdout.write(
      json ? `${JSON.stringify(change)}\n` : `${shownName(change.key)} ${writtenAs(change)}\n`,
    );
    return undefined;
  },
};

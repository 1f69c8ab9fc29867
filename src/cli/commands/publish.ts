import { publishTo } from "../../client/watches.ts";
import type { Command } from "../command.ts";
import { opIdFlag, opIdOf } from "../flags.ts";
import { readPayload } from "../value.ts";

export const publish: Command = {
  name: "publish",
  summary: "tell a value to those who watch a key; nothing is stored",
  arguments: [
    { name: "KEY", help: "the key; with --to-prefix the prefix" },
    { name: "VALUE", optional: true, help: "the value itself, up to 64 KiB; @FILE; - or nothing for stdin" },
  ],
  flags: [
    { name: "to-prefix", help: "tell all whose key or prefix begins with it, or whose prefix begins it" },
    { name: "retained", help: "keep it in the log, for those who resume later, too" },
    {
      name: "type",
      value: "TYPE",
      help: "media type, or json, text or bytes; default text for a VALUE, bytes for files and stdin",
    },
    opIdFlag,
  ],
  examples: [
    { line: "warp publish room:1 hello", prints: ["published"] },
    { line: "warp publish room: 'closing soon' --to-prefix --retained", prints: ["published"] },
  ],
  async run({ client, space, host, json }, args) {
    const opId = opIdOf(args);
    const payload = await readPayload(args, host, ({ from }) => (from === "argument" ? "text" : "bytes"));
    const answer = await publishTo(client, space, args.at(0), payload, {
      opId,
      prefix: args.has("to-prefix"),
      retained: args.has("retained"),
    });
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : "published\n");
    return undefined;
  },
};

import { deleteKey } from "../../client/keys.ts";
import type { Command } from "../command.ts";
import { changeOptions, fenceFlag, ifVersionFlag, opIdFlag } from "../flags.ts";
import { shownName, waits } from "../text.ts";

export const del: Command = {
  name: "del",
  summary: "delete a key from storage and every cache",
  arguments: [{ name: "KEY", help: "the key" }],
  flags: [ifVersionFlag, fenceFlag, opIdFlag],
  notes: ["A key that is not there is no error."],
  examples: [
    { line: "warp del user:2", prints: ["user:2 is deleted"] },
    { line: "warp del user:9", prints: ["user:9 was not there"] },
    { line: "warp del user:1 --if-version 999999", exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const change = await deleteKey(client, space, args.at(0), changeOptions(args));
    const end = change.provisional === true ? waits : change.existed ? "is deleted" : "was not there";
    await host.stdout.write(json ? `${JSON.stringify(change)}\n` : `${shownName(change.key)} ${end}\n`);
    return undefined;
  },
};

import { spacePath } from "../../client/path.ts";
import { usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { opIdFlag, opIdOf } from "../flags.ts";

export const invalidate: Command = {
  name: "invalidate",
  summary: "drop copies from every cache and keep what is stored",
  arguments: [{ name: "KEY", optional: true, rest: true, help: "keys, up to 1000" }],
  flags: [
    { name: "prefix", value: "P", help: 'all keys that begin with it; "" for every key' },
    { name: "tag", value: "TAG", multiple: true, help: "all values with this tag; several times" },
    opIdFlag,
  ],
  examples: [
    { line: "warp invalidate user:1 user:2", prints: ["invalidated"] },
    { line: "warp invalidate --prefix user:" },
    { line: "warp invalidate --tag tenant-7" },
  ],
  async run({ client, space, host, json }, args) {
    const keys = args.positionals;
    const prefix = args.text("prefix");
    const tags = args.all("tag");
    if (Number(keys.length > 0) + Number(prefix !== undefined) + Number(tags.length > 0) !== 1) {
      throw usageError("name exactly one of KEY..., --prefix and --tag");
    }
    const answer = await client.json<object>({
      method: "POST",
      path: `${spacePath(space)}/invalidate`,
      json: prefix !== undefined ? { prefix } : tags.length > 0 ? { tags } : { keys },
      opId: opIdOf(args) ?? client.newOpId(),
    });
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : "invalidated\n");
    return undefined;
  },
};

import { fenceHeader } from "../../client/fence.ts";
import { resourcePath } from "../../client/path.ts";
import { wholeNumber } from "../arguments.ts";
import type { Command } from "../command.ts";
import { fenceFlag, guardOf, opIdFlag, opIdOf } from "../flags.ts";
import { shownName } from "../text.ts";

export const restore: Command = {
  name: "restore",
  summary: "make a kept version the present value, as a new version",
  arguments: [
    { name: "KEY", help: "the key" },
    { name: "VERSION", help: "its number, as warp history prints it" },
  ],
  flags: [fenceFlag, opIdFlag],
  examples: [{ line: "warp restore config 1", prints: ["config is at version <n>"] }],
  async run({ client, space, host, json }, args) {
    const version = wholeNumber("VERSION", args.at(1), 1);
    const answer = await client.json<{ key: string; version: number }>({
      method: "POST",
      path: resourcePath(space, "restore", args.at(0)),
      json: { version },
      headers: fenceHeader(guardOf(args).guard),
      opId: opIdOf(args) ?? client.newOpId(),
    });
    await host.stdout.write(
      json ? `${JSON.stringify(answer)}\n` : `${shownName(answer.key)} is at version ${answer.version}\n`,
    );
    return undefined;
  },
};

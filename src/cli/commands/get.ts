import { getKey, type Kept } from "../../client/keys.ts";
import { recordOf } from "../../client/record.ts";
import type { Arguments } from "../arguments.ts";
import type { Command } from "../command.ts";

function keptOf(args: Arguments): Kept | undefined {
  args.atMostOne("version", "at");
  const version = args.wholeNumber("version", 1);
  const at = args.text("at");
  return version !== undefined ? { version } : at !== undefined ? { at } : undefined;
}

export const get: Command = {
  name: "get",
  summary: "print a value, byte for byte",
  arguments: [{ name: "KEY", help: "the key" }],
  flags: [
    { name: "version", value: "N", help: "the kept version of this number" },
    {
      name: "at",
      value: "TIME",
      help: "the version that was present then: ISO 8601 with its zone, or Unix milliseconds",
    },
  ],
  notes: [
    "Nothing is added to the value, no newline either. --json prints it with its version, tag and content type.",
    "Older versions are there where the key's registration keeps them: see warp register --help.",
  ],
  examples: [
    { line: "warp get user:1", prints: ['{"name":"Ada"}'] },
    { line: "warp get logo > logo.png" },
    { line: "warp get user:9", exit: 3 },
    { line: "warp get config --version 1", prints: ["blue"] },
  ],
  async run({ client, space, host, json }, args) {
    const found = await getKey(client, space, args.at(0), keptOf(args));
    if (!json) {
      await host.stdout.write(found.payload.bytes);
      if (found.provisional === true) await host.stderr.write("warp: the value is provisional\n");
      else if (found.cache === "stale") await host.stderr.write("warp: the value is stale\n");
      return undefined;
    }
    const { payload, ...facts } = found;
    await host.stdout.write(`${JSON.stringify({ ...facts, ...recordOf(payload) })}\n`);
    return undefined;
  },
};

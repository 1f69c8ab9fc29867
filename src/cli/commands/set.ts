import { setKey } from "../../client/keys.ts";
import { type Arguments, usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { changeOptions, ifVersionFlag, opIdFlag } from "../flags.ts";
import { type Input, readInput } from "../input.ts";
import { shownName } from "../text.ts";

const shortTypes: Readonly<Record<string, string>> = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
  bytes: "application/octet-stream",
};

/** Roughly, and what a header can carry; the server looks closer. */
const mediaType = /^[\x21-\x7e]+\/[\x20-\x7e]+$/;

function typeOf(args: Arguments, input: Input): string {
  const type = args.text("type");
  if (type === undefined) {
    return (input.from === "argument" ? shortTypes.text : shortTypes.bytes) ?? "application/octet-stream";
  }
  const known = shortTypes[type] ?? (mediaType.test(type) ? type : undefined);
  if (known === undefined) throw usageError("--type takes a media type, or json, text or bytes");
  return known;
}

export const set: Command = {
  name: "set",
  summary: "store a value",
  arguments: [
    { name: "KEY", help: "the key" },
    { name: "VALUE", optional: true, help: "the value itself; @FILE; - or nothing for stdin" },
  ],
  flags: [
    {
      name: "type",
      value: "TYPE",
      help: "media type, or json, text or bytes; default text for a VALUE, bytes for files and stdin",
    },
    { name: "expires", value: "TIME", help: "life of the value: 10m, 7d …; default: until it is deleted" },
    { name: "tag", value: "TAG", multiple: true, help: "a tag to invalidate its copies by; several times" },
    ifVersionFlag,
    { name: "if-absent", help: "only if there is no such key yet; else exit code 4" },
    opIdFlag,
  ],
  notes: ["A VALUE that begins with a dash goes after --, one that begins with @ through stdin."],
  examples: [
    { line: `warp set user:1 '{"name":"Ada"}' --type json`, prints: ["user:1 is at version <n>"] },
    { line: "warp set logo @logo.png --type image/png" },
    { line: "date | warp set last-run --expires 7d" },
    { line: "warp set page:7 'Hello' --tag tenant-7 --tag pages" },
    { line: "warp set user:1 nobody --if-absent", exit: 4 },
    { line: "warp set offset -- -5" },
  ],
  async run({ client, space, host, json }, args) {
    const options = changeOptions(args);
    const expiresInMs = args.durationMs("expires");
    const tags = args.all("tag");
    const input = await readInput(args.positionals[1], host);
    const payload = { bytes: input.bytes, contentType: typeOf(args, input) };
    const change = await setKey(client, space, args.at(0), payload, {
      ...options,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(tags.length === 0 ? {} : { tags }),
    });
    await host.stdout.write(
      json ? `${JSON.stringify(change)}\n` : `${shownName(change.key)} is at version ${change.version}\n`,
    );
    return undefined;
  },
};

import { setKey } from "../../client/keys.ts";
import type { Command } from "../command.ts";
import { changeOptions, fenceFlag, ifVersionFlag, opIdFlag } from "../flags.ts";
import { shownName, writtenAs } from "../text.ts";
import { readPayload } from "../value.ts";

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
    { name: "lease", value: "ID", help: "attach the key to this lease: it ends with it" },
    { name: "replace", help: "store it as it stands, also where the key has a merge rule" },
    ifVersionFlag,
    { name: "if-absent", help: "only if there is no such key yet; else exit code 4" },
    fenceFlag,
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
    const lease = args.text("lease");
    const payload = await readPayload(args, host, ({ from }) => (from === "argument" ? "text" : "bytes"));
    const change = await setKey(client, space, args.at(0), payload, {
      ...options,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(tags.length === 0 ? {} : { tags }),
      ...(lease === undefined ? {} : { lease }),
      ...(args.has("replace") ? { replace: true } : {}),
    });
    await host.stdout.write(
      json ? `${JSON.stringify(change)}\n` : `${shownName(change.key)} ${writtenAs(change)}\n`,
    );
    return undefined;
  },
};

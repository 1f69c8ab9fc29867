import { queryText, spacePath } from "../../client/path.ts";
import type { Command } from "../command.ts";
import { prefixFlag } from "../flags.ts";

export const exportCommand: Command = {
  name: "export",
  summary: "print all keys and values as NDJSON, as import takes them",
  arguments: [],
  flags: [prefixFlag],
  notes: ["It is read page by page, not as of one moment. If it breaks off, the exit code is not 0."],
  examples: [
    { line: "warp export > all.ndjson" },
    {
      line: "warp export --prefix user:1",
      prints: ['{"key":"user:1","contentType":"application/json","json":{"name":"Ada"}}'],
    },
    { line: "warp export | warp --space copy import -", prints: ["4 lines read, 4 imported, 0 failed"] },
  ],
  async run({ client, space, host }, args) {
    const path = `${spacePath(space)}/export${queryText({ prefix: args.text("prefix") })}`;
    const { chunks } = await client.stream({ method: "GET", path });
    for await (const chunk of chunks) await host.stdout.write(chunk);
    return undefined;
  },
};

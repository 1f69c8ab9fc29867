import { queryText, spacePath } from "../../client/path.ts";
import { payloadOf, type ValueRecord } from "../../client/record.ts";
import type { Command } from "../command.ts";
import { shownName, shownValue } from "../text.ts";

type Item = { readonly key: string } & ValueRecord;

interface Page {
  readonly items: readonly Item[];
  readonly cursor?: string;
}

function textOf(item: Item): string {
  const payload = payloadOf(item);
  const name = shownName(item.key);
  return payload === undefined ? name : `${name}\t${shownValue(payload.bytes, payload.contentType)}`;
}

export const list: Command = {
  name: "list",
  summary: "print keys, in order of their bytes",
  arguments: [{ name: "PREFIX", optional: true, help: "only keys that begin with it" }],
  flags: [
    { name: "values", help: "print each value after a tab" },
    { name: "limit", value: "N", help: "keys in one page, 1 to 1000; default 100" },
    { name: "cursor", value: "CURSOR", help: "go on where the page before ended" },
    { name: "all", help: "all pages" },
  ],
  notes: [
    "Keys and values with control characters are printed as JSON strings. --json prints one object in a line.",
    "Without --all one page is printed, and a word on stderr if there is more.",
  ],
  examples: [
    { line: "warp list user:", prints: ["user:1", "user:2"] },
    { line: "warp list user: --values --limit 1", prints: ['user:1\t{"name":"Ada"}'] },
    { line: "warp list --all --json > keys.ndjson" },
  ],
  async run({ client, space, host, json }, args) {
    const limit = args.wholeNumber("limit", 1);
    const values = args.has("values") || undefined;
    const prefix = args.positionals[0];
    const all = args.has("all");
    let cursor = args.text("cursor");
    for (;;) {
      const path = `${spacePath(space)}/keys${queryText({ prefix, limit: limit ?? (all ? 1_000 : undefined), values, cursor })}`;
      const page = await client.json<Page>({ method: "GET", path });
      const lines = page.items.map((item) => (json ? JSON.stringify(item) : textOf(item)));
      if (lines.length > 0) await host.stdout.write(`${lines.join("\n")}\n`);
      cursor = page.cursor;
      if (cursor === undefined) return undefined;
      if (!all) break;
    }
    await host.stderr.write(`there is more: --all, or --cursor ${cursor}\n`);
    return undefined;
  },
};

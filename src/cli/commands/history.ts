import { queryText, resourcePath } from "../../client/path.ts";
import type { Command } from "../command.ts";
import { shownName, shownTime, table } from "../text.ts";

interface Version {
  readonly version: number;
  readonly kind: string;
  readonly atMs: number;
  readonly sizeBytes: number;
  readonly contentType?: string;
}

export const history: Command = {
  name: "history",
  summary: "print the kept versions of a key, newest first",
  arguments: [{ name: "KEY", help: "the key" }],
  flags: [
    { name: "limit", value: "N", help: "versions in one page, 1 to 1000; default 100" },
    { name: "before", value: "N", help: "only versions below this one" },
  ],
  notes: [
    "Versions are kept where the key's registration says so. A delete and an end of life are versions too.",
  ],
  examples: [{ line: "warp history config" }, { line: "warp history config --limit 1 --json" }],
  async run({ client, space, host, json }, args) {
    const query = queryText({ before: args.wholeNumber("before", 1), limit: args.wholeNumber("limit", 1) });
    const answer = await client.json<{ readonly versions: readonly Version[]; readonly more?: boolean }>({
      method: "GET",
      path: resourcePath(space, "history", args.at(0)) + query,
    });
    if (json) await host.stdout.write(`${JSON.stringify(answer)}\n`);
    else if (answer.versions.length > 0) {
      const rows = answer.versions.map(({ version, kind, atMs, sizeBytes, contentType }) => [
        String(version),
        kind,
        shownTime(atMs),
        kind === "set" ? `${sizeBytes} bytes of ${shownName(contentType ?? "unknown type")}` : "",
      ]);
      await host.stdout.write(table([["VERSION", "KIND", "TIME", "VALUE"], ...rows]));
    }
    const oldest = answer.versions.at(-1)?.version;
    if (answer.more === true && oldest !== undefined) {
      await host.stderr.write(`there is more: --before ${oldest}\n`);
    }
    return undefined;
  },
};

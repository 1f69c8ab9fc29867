import { spacePath } from "../../client/path.ts";
import type { Command } from "../command.ts";
import { shownName, table } from "../text.ts";

type Registration = Readonly<Record<string, unknown>> & {
  readonly pattern: string;
  readonly version: number;
};

function row({ pattern, version, mode, source: _, ...rest }: Registration): string[] {
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [shownName(pattern), String(version), String(mode), fields.join(" ")];
}

export const registrations: Command = {
  name: "registrations",
  summary: "print the registered policies",
  arguments: [],
  flags: [],
  examples: [{ line: "warp registrations" }, { line: "warp registrations --json" }],
  async run({ client, space, host, json }) {
    const answer = await client.json<{ registrations: readonly Registration[] }>({
      method: "GET",
      path: `${spacePath(space)}/registrations`,
    });
    if (json) await host.stdout.write(`${JSON.stringify(answer.registrations)}\n`);
    else if (answer.registrations.length > 0) {
      const rows = answer.registrations.map(row);
      await host.stdout.write(table([["PATTERN", "VERSION", "MODE", "POLICY"], ...rows]));
    }
    return undefined;
  },
};

import { resourcePath } from "../../client/path.ts";
import type { Command } from "../command.ts";
import { shownName } from "../text.ts";

export const unregister: Command = {
  name: "unregister",
  summary: "remove a registration: its keys follow the next shorter pattern, or the default",
  arguments: [{ name: "PATTERN", help: "as it was registered" }],
  flags: [],
  examples: [{ line: "warp unregister 'config*'", prints: ["config* is not registered any more"] }],
  async run({ client, space, host, json }, args) {
    const path = resourcePath(space, "registrations", args.at(0));
    const answer = await client.json<{ pattern: string }>({ method: "DELETE", path, mutation: true });
    await host.stdout.write(
      json ? `${JSON.stringify(answer)}\n` : `${shownName(answer.pattern)} is not registered any more\n`,
    );
    return undefined;
  },
};

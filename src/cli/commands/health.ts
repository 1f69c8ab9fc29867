import type { Command } from "../command.ts";
import { oneLine } from "../text.ts";

export const health: Command = {
  name: "health",
  summary: "say whether the deployment answers and would serve calls",
  arguments: [],
  flags: [],
  notes: ["A deployment without a secret that is not open answers but is not ready: exit code 5."],
  examples: [{ line: "warp health" }, { line: "warp health --url http://127.0.0.1:65000", exit: 6 }],
  async run({ client, host, json }) {
    const { version } = await client.json<{ version: string }>({ method: "GET", path: "/healthz" });
    const ready = await client.json<{ open: boolean }>({ method: "GET", path: "/readyz" });
    const answer = { version, ready: true, open: ready.open };
    const said = `warp ${oneLine(version)} is ready${ready.open ? ", and open to this machine" : ""}`;
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${said}\n`);
    return undefined;
  },
};

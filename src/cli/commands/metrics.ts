import type { Command } from "../command.ts";

export const metrics: Command = {
  name: "metrics",
  summary: "print the deployment's metrics, as Prometheus reads them",
  arguments: [],
  flags: [],
  examples: [{ line: "warp metrics" }],
  async run({ client, host }) {
    const { bytes } = await client.call({ method: "GET", path: "/metrics" });
    await host.stdout.write(bytes);
    return undefined;
  },
};

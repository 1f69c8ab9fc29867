import { expect, test } from "vitest";
import {
  eventually,
  freePort,
  mark,
  marked,
  startCommand,
  startScript,
  temporaryFolder,
} from "../support/serve.ts";

test("npm run dev answers, and leaves nothing running when it ends", async () => {
  await using folder = await temporaryFolder();
  // npm passes a SIGTERM on; a SIGINT comes from the terminal to all of them.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const env = mark();
    const port = await freePort();
    const flags = ["--port", String(port), "--persist-to", folder.path];
    const dev =
      signal === "SIGINT"
        ? startScript("scripts/dev.ts", flags, env)
        : startCommand("npm", ["run", "dev", "--", ...flags], env);
    const ready = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      return answer !== undefined && ((await answer.json()) as { open: boolean }).open;
    };
    expect(await eventually(ready, 60_000), dev.output()).toBe(true);
    if (process.platform === "linux") expect(marked(env).length).toBeGreaterThan(2);
    dev.child.kill(signal);
    expect(await eventually(() => marked(env).length === 0, 15_000), `after ${signal}`).toBe(true);
    await dev.exit;
  }
});

test.each([["--ip", "0.0.0.0"], ["--remote"], ["--tunnel"]])(
  "dev refuses %s: it is open to every caller",
  async (...flags) => {
    const dev = startScript("scripts/dev.ts", flags);
    expect(await dev.exit).toBe(2);
    expect(dev.output()).toContain("stays on loopback");
  },
);

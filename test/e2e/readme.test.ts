import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { consoleCommands, withPlaceholders } from "../support/console-blocks.ts";
import { startServe, temporaryFolder } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");
const execute = promisify(execFile);

const secret = "a-secret-for-the-pages";

test.each([
  { page: "README.md", env: {} },
  { page: "docs/getting-started.md", env: {} },
  { page: "docs/reliability.md", env: {} },
  { page: "docs/lock.md", env: {} },
  { page: "docs/leases.md", env: {} },
  { page: "docs/access.md", env: { WARP_SECRET: secret } },
])("the curl lines of $page work as printed", async ({ page, env }) => {
  const commands = consoleCommands(await readFile(join(root, page), "utf8"));
  expect(commands.length).toBeGreaterThan(2);
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path, [], env);
  const variables: Record<string, string> = { ...env };
  const shell = async (line: string): Promise<string> =>
    (await execute("bash", ["-c", line], { env: { ...process.env, ...variables } })).stdout;
  try {
    for (const { command, output } of commands) {
      const line = command.replaceAll("http://127.0.0.1:8787", served.url).replace(/\bcurl\b/, "curl -sS");
      const [, variable] = /^([A-Z]+)=/.exec(line) ?? [];
      if (variable !== undefined) {
        // Later lines of the page use it.
        variables[variable] = await shell(`${line}; printf %s "$${variable}"`);
        expect(variables[variable]).not.toBe("");
        continue;
      }
      expect(command, "only curl lines and variables stand in console blocks").toMatch(/\bcurl\b/);
      const printed = withPlaceholders(await shell(line)).split(/\r?\n/);
      // With -i more headers come than a page needs to show; all that it shows must be there.
      for (const shown of output) {
        expect(
          printed.includes(shown),
          `${command}\nis shown as  ${shown}\nbut printed ${printed.join("\n")}`,
        ).toBe(true);
      }
    }
  } finally {
    await served.stop();
  }
});

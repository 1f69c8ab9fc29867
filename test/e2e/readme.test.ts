import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { consoleCommands, withPlaceholders } from "../support/console-blocks.ts";
import { startServe, temporaryFolder } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");
const execute = promisify(execFile);

test.each(["README.md", "docs/getting-started.md"])("the curl lines of %s work as printed", async (page) => {
  const commands = consoleCommands(await readFile(join(root, page), "utf8"));
  expect(commands.length).toBeGreaterThan(2);
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path);
  try {
    for (const { command, output } of commands) {
      expect(command, "only curl lines stand in console blocks").toMatch(/\bcurl\b/);
      const line = command.replaceAll("http://127.0.0.1:8787", served.url).replace(/\bcurl\b/, "curl -sS");
      const { stdout } = await execute("bash", ["-c", line]);
      const printed = withPlaceholders(stdout).split(/\r?\n/);
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

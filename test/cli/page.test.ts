import { expect, test } from "vitest";
import { commands } from "../../src/cli/commands/index.ts";
import { page } from "../../src/cli/page.ts";

test("docs/cli.md is what the commands say of themselves (after a change: vitest run -u test/cli)", async () => {
  await expect(page(commands)).toMatchFileSnapshot("../../docs/cli.md");
});

import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands/index.ts";
import { shells } from "../../src/cli/shells/index.ts";

/** What bash offers for the last of `words`. */
function offered(...words: readonly string[]): string[] {
  const script = `${shells.bash?.(commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_warp
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" }).split("\n").filter(Boolean);
}

describe("bash completes", () => {
  test.each([
    [
      ["warp", "re"],
      ["resolve", "restore", "register", "registrations"],
    ],
    [
      ["warp", "space", ""],
      ["create", "show", "delete"],
    ],
    [["warp", "--json", "--space", "shop", "tok"], ["token"]],
    [
      ["warp", "register", "a", "--mode", ""],
      ["local", "eventual", "strong"],
    ],
    [["warp", "--url", "http://x", "space", "create", "--sh"], ["--shards"]],
    [["warp", "completion", "z"], ["zsh"]],
    [["warp", "--vers"], ["--version"]],
    [["warp", "get", "--space", ""], []],
  ])("%j with %j", (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  test("every command to its own flags", () => {
    for (const { name, flags } of commands) {
      expect(offered("warp", ...name.split(" "), "--")).toEqual(
        expect.arrayContaining(["--json", ...flags.map((flag) => `--${flag.name}`)]),
      );
    }
  });

  test("import to files", () => {
    expect(offered("warp", "import", "package.js")).toEqual(["package.json"]);
  });
});

test.each(["zsh", "fish"])("the script for %s names every command and each of its flags", (shell) => {
  const script = shells[shell]?.(commands) ?? "";
  for (const { name, flags } of commands) {
    for (const word of name.split(" ")) expect(script).toContain(word);
    for (const flag of flags) expect(script).toMatch(new RegExp(`(--|-l )${flag.name}\\b`));
  }
  expect(script).not.toContain("undefined");
});

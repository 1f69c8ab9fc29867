import { describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands/index.ts";
import { parseDuration } from "../../src/cli/duration.ts";
import { warp } from "./bed.ts";

describe("the command line", () => {
  test.each([
    [["nonsense"], /there is no command "nonsense"/],
    [["space"], /"space" wants one of: space create, space show, space delete/],
    [["get"], /KEY is missing: warp get KEY/],
    [["get", "a", "b"], /too many arguments/],
    [["get", "a", "--nonsense"], /--nonsense/],
    [["get", "a", "--json=1"], /--json/],
    [["get", "a", "--space", "x", "--space", "y"], /--space is given twice/],
    [["get", "a", "--space"], /--space/],
    [["get", "a", "--version", "0"], /--version takes a whole number from 1 on, not "0"/],
    [["get", "a", "--version", "1e3"], /--version/],
    [["get", "a", "--version", "1", "--at", "0"], /--version and --at can't stand together/],
    [["get", "a", "--timeout", "10"], /--timeout takes a duration/],
    [["get", "a", "--timeout", "1h"], /a time-out is 100 to 120000 ms/],
    [["get", "a", "--url", "nowhere"], /http:\/\//],
    [["set", "a", "1", "--if-absent", "--if-version", "1"], /can't stand together/],
    [["set", "a", "1", "--type", "yaml"], /--type takes a media type, or json, text or bytes/],
    [["set", "a", "1", "--type", "text/ö\n"], /--type takes a media type/],
    [["set", "a", "1", "--op-id", "7\n"], /--op-id takes a UUIDv7/],
    [["invalidate", "a", "--op-id", "x"], /--op-id takes a UUIDv7/],
    [["import", "-", "--op-id", "x"], /--op-id takes a UUIDv7/],
    [["restore", "a", "1", "--op-id", "x"], /--op-id takes a UUIDv7/],
    [["set", "a"], /VALUE is missing/],
    [["set", "a", "@none"], /can't read none: ENOENT/],
    [["set", "a", "1", "--expires", "soon"], /--expires takes a duration/],
    [["register", "a", "--mode", "weak"], /--mode takes one of local, eventual, strong, not "weak"/],
    [["register", "a", "--set", "graceMs"], /--set takes NAME=VALUE/],
    [["register", "a", "--set", "graceMs=1", "--set", "graceMs=2"], /graceMs is set twice/],
    [["invalidate"], /name exactly one of KEY\.\.\., --prefix and --tag/],
    [["invalidate", "a", "--prefix", "b"], /exactly one/],
    [["restore", "a", "latest"], /VERSION takes a whole number/],
    [["space", "delete"], /NAME is missing/],
    [["completion", "tcsh"], /SHELL takes one of bash, zsh, fish/],
  ])("OU4 %j is refused before anything is sent, with exit code 2", async (argv, message) => {
    const ended = await warp(argv);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toMatch(/^warp: invalid_argument: .*\n$/);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
  });

  test("nothing at all prints the overview on stderr, with exit code 2", async () => {
    const ended = await warp([]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain("usage: warp COMMAND");
  });

  test("--version prints the version", async () => {
    expect((await warp(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("--help lists every command, and says of each what it does", async () => {
    const { stdout, code } = await warp(["--help"]);
    expect(code).toBe(0);
    for (const { name, summary } of commands)
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary.slice(0, 9)}`, "m"));
  });

  test.each(commands.map((command) => [command.name, command] as const))(
    "warp %s --help names its arguments, flags and examples, whatever else is missing",
    async (name, command) => {
      const { stdout, code } = await warp([...name.split(" "), "--help"]);
      expect(code).toBe(0);
      for (const flag of command.flags) expect(stdout).toContain(`  --${flag.name}`);
      for (const argument of command.arguments) expect(stdout).toContain(`  ${argument.name}`);
      for (const example of command.examples) expect(stdout).toContain(`  ${example.line}\n`);
      expect(command.examples.length).toBeGreaterThan(0);
    },
  );

  test("no flag of a command has the name of a flag of every command, and no argument follows one that takes all", async () => {
    for (const { name, flags, arguments: list } of commands) {
      expect(
        flags.filter((flag) => ["url", "space", "token", "json", "timeout", "help"].includes(flag.name)),
        name,
      ).toEqual([]);
      expect(
        list.slice(0, -1).some((argument) => argument.rest),
        name,
      ).toBe(false);
    }
  });
});

test.each([
  ["500ms", 500],
  ["1.5s", 1_500],
  ["10m", 600_000],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
  ["10", undefined],
  ["", undefined],
  ["-1s", undefined],
  ["1 s", undefined],
  ["1w", undefined],
  ["999999999999d", undefined],
])("the duration %j is %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

import { type Command, flagForm, usageOf } from "./command.ts";
import { exitCodes } from "./exit-code.ts";
import { globalFlags } from "./globals.ts";
import { versionFlag } from "./parse.ts";
import { table } from "./text.ts";

function indented(rows: readonly (readonly string[])[]): string {
  return table(rows.map(([first = "", ...rest]) => [`  ${first}`, ...rest]));
}

/** What `warp --help` prints. */
export function overview(commands: readonly Command[]): string {
  return [
    "warp reads and changes a Warp deployment.\n\nusage: warp COMMAND [arguments] [flags]\n",
    `commands:\n${indented(commands.map(({ name, summary }) => [name, summary]))}`,
    `flags of every command:\n${indented([...globalFlags, versionFlag].map((flag) => [flagForm(flag), flag.help]))}`,
    `exit codes:\n${indented(exitCodes.map(({ code, means }) => [String(code), means]))}`,
    "warp COMMAND --help says more about one, with examples.\n",
  ].join("\n");
}

/** What `warp COMMAND --help` prints. */
export function helpOf(command: Command): string {
  const parts = [`usage: ${usageOf(command)}\n\n${command.summary}\n`];
  if (command.arguments.length > 0) {
    parts.push(`arguments:\n${indented(command.arguments.map(({ name, help }) => [name, help]))}`);
  }
  if (command.flags.length > 0) {
    parts.push(`flags:\n${indented(command.flags.map((flag) => [flagForm(flag), flag.help]))}`);
  }
  if (command.notes !== undefined) parts.push(`${command.notes.join("\n")}\n`);
  parts.push(`examples:\n${command.examples.map((example) => `  ${example.line}\n`).join("")}`);
  parts.push("warp --help lists the flags of every command and the exit codes.\n");
  return parts.join("\n");
}

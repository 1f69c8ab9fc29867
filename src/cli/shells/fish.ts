import type { Command, Flag } from "../command.ts";
import { globalFlags } from "../globals.ts";
import { versionFlag } from "../parse.ts";
import { groups, wordsAfter } from "./words.ts";

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Whether the line so far is of this command. */
function condition(command: Command): string {
  const [one = "", two] = command.name.split(" ");
  const first = `__fish_seen_subcommand_from ${one}`;
  return two === undefined ? first : `${first}; and __fish_seen_subcommand_from ${two}`;
}

function flagLine(flag: Flag, when?: string): string {
  const takes =
    flag.value === undefined ? "" : flag.choices ? ` -x -a ${quoted(flag.choices.join(" "))}` : " -x";
  return `complete -c warp${when === undefined ? "" : ` -n ${quoted(when)}`} -l ${flag.name}${takes} -d ${quoted(flag.help)}\n`;
}

function wordLine(word: string, when: string, help: string): string {
  return `complete -c warp -n ${quoted(when)} -a ${word} -d ${quoted(help)}\n`;
}

function commandLines(command: Command): string {
  const when = condition(command);
  const choices = command.arguments[0]?.choices ?? [];
  return [
    ...choices.map((word) => wordLine(word, when, "")),
    ...(command.arguments.some(({ name }) => name === "FILE")
      ? [`complete -c warp -n ${quoted(when)} -F\n`]
      : []),
    ...command.flags.map((flag) => flagLine(flag, when)),
  ].join("");
}

/** Completion for fish 3 and later. */
export function fishCompletion(commands: readonly Command[]): string {
  const summaryOf = (name: string): string =>
    commands.find((command) => command.name === name)?.summary ?? `${name} commands`;
  return [
    "# Completion of warp for fish: warp completion fish > ~/.config/fish/completions/warp.fish\n",
    "complete -c warp -f\n",
    ...[...globalFlags, versionFlag].map((flag) => flagLine(flag)),
    ...wordsAfter(commands).map((word) => wordLine(word, "__fish_use_subcommand", summaryOf(word))),
    ...groups(commands).flatMap((group) => {
      const below = wordsAfter(commands, group);
      const when = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${below.join(" ")}`;
      return below.map((word) => wordLine(word, when, summaryOf(`${group} ${word}`)));
    }),
    ...commands.map(commandLines),
  ].join("");
}

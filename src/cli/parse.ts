import { parseArgs } from "node:util";
import { Arguments, type FlagValue, usageError } from "./arguments.ts";
import { type Command, type Flag, usageOf } from "./command.ts";
import { globalFlags } from "./globals.ts";

/** A command line, cut up: which command, and its flags and arguments. Without a command: the flags alone. */
export interface Parsed {
  readonly command: Command | undefined;
  readonly args: Arguments;
}

/** Finds the command, then holds flags and arguments against its declaration. Throws usage errors. */
export function parseLine(argv: readonly string[], commands: readonly Command[]): Parsed {
  const { at, words } = commandWords(argv);
  const command = findCommand(words, commands);
  if (command === undefined) {
    if (words.length > 0) throw usageError(unknownCommand(words, commands));
    return { command, args: readFlags(argv, [...globalFlags, versionFlag]).args };
  }
  const length = command.name.split(" ").length;
  const rest = [...argv.slice(0, at), ...argv.slice(at + length)];
  const { args, help } = readFlags(rest, [...globalFlags, ...command.flags]);
  if (!help) checkCount(command, args.positionals.length);
  return { command, args };
}

/** Known without a command only. */
export const versionFlag: Flag = { name: "version", help: "print the version" };

/** Where the command begins: after flags that every command takes, and their values. Gives the two words there. */
function commandWords(argv: readonly string[]): { readonly at: number; readonly words: readonly string[] } {
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (!word.startsWith("-") || word === "-") break;
    const flag = globalFlags.find(({ name }) => word === `--${name}`);
    if (flag?.value !== undefined) at++;
  }
  return { at, words: argv.slice(at, at + 2) };
}

function findCommand(words: readonly string[], commands: readonly Command[]): Command | undefined {
  const [first = "", second = ""] = words;
  return (
    commands.find(({ name }) => name === `${first} ${second}`) ?? commands.find(({ name }) => name === first)
  );
}

function unknownCommand(words: readonly string[], commands: readonly Command[]): string {
  const first = words[0] ?? "";
  const below = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (below.length > 0) return `"${first}" wants one of: ${below.join(", ")}`;
  return `there is no command "${first}"; warp --help lists them`;
}

function readFlags(argv: readonly string[], flags: readonly Flag[]) {
  const options = Object.fromEntries(
    flags.map(({ name, value }) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const), multiple: true },
    ]),
  );
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
  const given = new Map<string, FlagValue>();
  for (const flag of flags) {
    const values = parsed.values[flag.name];
    if (!Array.isArray(values)) continue;
    if (values.length > 1 && flag.multiple !== true) throw usageError(`--${flag.name} is given twice`);
    const texts = values.filter((value) => typeof value === "string");
    for (const text of texts) checkChoice(`--${flag.name}`, text, flag.choices);
    const [first] = texts;
    given.set(flag.name, flag.multiple === true ? texts : (first ?? true));
  }
  return { args: new Arguments(parsed.positionals, given), help: given.has("help") };
}

/** Throws a usage error where `text` is none of `choices`. */
export function checkChoice(what: string, text: string, choices: readonly string[] | undefined): void {
  if (choices !== undefined && !choices.includes(text)) {
    throw usageError(`${what} takes one of ${choices.join(", ")}, not "${text}"`);
  }
}

function checkCount(command: Command, count: number): void {
  const least = command.arguments.filter(({ optional }) => optional !== true).length;
  const most = command.arguments.some(({ rest }) => rest)
    ? Number.POSITIVE_INFINITY
    : command.arguments.length;
  if (count < least) {
    throw usageError(`${command.arguments[count]?.name ?? "an argument"} is missing: ${usageOf(command)}`);
  }
  if (count > most) throw usageError(`too many arguments: ${usageOf(command)}`);
}

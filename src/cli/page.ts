import { type Command, flagForm, usageOf } from "./command.ts";
import { exitCodes } from "./exit-code.ts";
import { globalFlags } from "./globals.ts";

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("*", "\\*");
}

function rows(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([form, help]) => `| \`${form}\` | ${cell(help)} |\n`).join("");
}

function example({ line, prints = [], exit }: Command["examples"][number]): string {
  const ends = exit === undefined ? "" : `   # exit code ${exit}`;
  return [`$ ${line}${ends}\n`, ...prints.map((text) => `${text}\n`)].join("");
}

function section(command: Command): string {
  const pairs: (readonly [string, string])[] = [
    ...command.arguments.map(({ name, help }) => [name, help] as const),
    ...command.flags.map((flag) => [flagForm(flag), flag.help] as const),
  ];
  return [
    `### \`${usageOf(command)}\`\n`,
    `${command.summary[0]?.toUpperCase()}${cell(command.summary.slice(1))}.\n`,
    ...(pairs.length === 0 ? [] : [`| | |\n|---|---|\n${rows(pairs)}`]),
    ...(command.notes ?? []).map((note) => `${cell(note)}\n`),
    `\`\`\`text\n${command.examples.map(example).join("")}\`\`\`\n`,
  ].join("\n");
}

/** The page `docs/cli.md`. A test holds the file to it. */
export function page(commands: readonly Command[]): string {
  return `# The command line

\`warp\` reads and changes a deployment over HTTP. In this tree it is \`npm run warp -- COMMAND\`, after \`npm run build\` also \`npx warp COMMAND\`; \`warp COMMAND --help\` says what stands here.
The examples speak to \`npm run serve\` on this machine, and a test runs each of them.

Values go to stdout byte for byte. What goes wrong is one line on stderr, with the error's code and the request's id: \`warp: not_found: the key does not exist [request …]\`.
With \`--json\` it is the problem document. [Errors](errors.md) lists the codes.

| flag of every command | |
|---|---|
${rows(globalFlags.map((flag) => [flagForm(flag), flag.help] as const))}
Flags may stand before or after the arguments; \`--\` ends them. A flag on a command line can be seen by other users of the machine: give tokens by \`WARP_TOKEN\`.

| exit code | |
|---|---|
${rows(exitCodes.map(({ code, means }) => [String(code), means] as const))}
After an unknown outcome repeat the command with \`--op-id\` and the op id that the error names: it is done once, and the answer is the first verdict. \`warp resolve\` only asks, and settles with \`--seal\` what has not arrived.

## Commands

${commands.map(section).join("\n")}`;
}

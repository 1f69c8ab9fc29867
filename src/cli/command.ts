import type { HttpClient } from "../client/http.ts";
import type { Arguments } from "./arguments.ts";
import type { CliHost } from "./host.ts";

/** One flag of a command. */
export interface Flag {
  /** Without its dashes, in kebab-case. */
  readonly name: string;
  /** What stands for its value in help; absent: the flag takes none. */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly multiple?: true;
  /** The only values it takes; completed by shells. */
  readonly choices?: readonly string[];
  readonly help: string;
}

/** One argument of a command, in order. */
export interface Argument {
  readonly name: string;
  readonly optional?: true;
  /** Takes all that is left; only the last one. */
  readonly rest?: true;
  readonly help: string;
  readonly choices?: readonly string[];
}

/** A line that can be typed, and what it prints on stdout where help shows it. A test runs each, in order, in a prepared folder. */
export interface Example {
  readonly line: string;
  readonly prints?: readonly string[];
  /** Exit code, if it is not 0. */
  readonly exit?: number;
}

/** What a running command works with. */
export interface Context {
  readonly host: CliHost;
  /** Made at its first use, so that help and completion need no deployment. */
  readonly client: HttpClient;
  readonly space: string;
  /** `--timeout` in ms. */
  readonly timeoutMs: number;
  /** Whether answers and errors are wanted as JSON. */
  readonly json: boolean;
  readonly commands: readonly Command[];
}

/** One command: help, completion and the page `docs/cli.md` are made of nothing else. */
export interface Command {
  /** One or two words. */
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Further paragraphs of help. */
  readonly notes?: readonly string[];
  readonly examples: readonly Example[];
  /** Does it and gives the exit code (undefined: 0). Throws WarpErrors. */
  run(context: Context, args: Arguments): Promise<number | undefined>;
}

/** `warp name ARGUMENTS [flags]`. */
export function usageOf(command: Command): string {
  const parts = command.arguments.map(({ name, optional, rest }) => {
    const text = rest ? `${name}...` : name;
    return optional ? `[${text}]` : text;
  });
  return ["warp", command.name, ...parts, ...(command.flags.length > 0 ? ["[flags]"] : [])].join(" ");
}

/** `--name VALUE`. */
export function flagForm(flag: Flag): string {
  return flag.value === undefined ? `--${flag.name}` : `--${flag.name} ${flag.value}`;
}

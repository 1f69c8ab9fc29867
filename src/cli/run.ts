import type { HttpClient } from "../client/http.ts";
import { version } from "../version.ts";
import { commands } from "./commands/index.ts";
import { exitCodeOf } from "./exit-code.ts";
import { failureLine } from "./failure.ts";
import { readSettings } from "./globals.ts";
import { helpOf, overview } from "./help.ts";
import { type CliHost, OutputClosed } from "./host.ts";
import { parseLine } from "./parse.ts";

/** Exit code of a command whose reader has gone: what a shell says of an end by SIGPIPE. */
const readerGone = 141;

/** Runs one command line and gives its exit code. Never rejects. */
export async function run(argv: readonly string[], host: CliHost): Promise<number> {
  try {
    return await carryOut(argv, host);
  } catch (error) {
    if (error instanceof OutputClosed) return readerGone;
    try {
      await host.stderr.write(failureLine(error, ownWords(argv).includes("--json")));
    } catch {
      // Nobody reads stderr either; the exit code says it.
    }
    return exitCodeOf(error);
  }
}

/** What stands before `--`: the rest may be somebody else's. */
function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}

async function carryOut(argv: readonly string[], host: CliHost): Promise<number> {
  const { command, args } = parseLine(argv, commands);
  if (command === undefined) {
    if (args.has("version")) await host.stdout.write(`${version}\n`);
    else if (args.has("help")) await host.stdout.write(overview(commands));
    else {
      await host.stderr.write(overview(commands));
      return 2;
    }
    return 0;
  }
  if (args.has("help")) {
    await host.stdout.write(helpOf(command));
    return 0;
  }
  const { space, timeoutMs, json, connect } = readSettings(args, host);
  let client: HttpClient | undefined;
  const context = {
    host,
    space,
    timeoutMs,
    json,
    commands,
    get client(): HttpClient {
      client ??= connect();
      return client;
    },
  };
  return (await command.run(context, args)) ?? 0;
}

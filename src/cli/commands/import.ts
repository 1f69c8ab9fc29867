import { type ImportCounts, type ImportFailure, importLines } from "../../client/import.ts";
import { WarpError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { exitCodeOf } from "../exit-code.ts";
import { opIdFlag, opIdOf } from "../flags.ts";
import type { CliHost } from "../host.ts";
import { openSource } from "../input.ts";
import { oneLine } from "../text.ts";

/** Least time between two lines of progress where they stay: in a log. */
const plainEveryMs = 5_000;

/** Progress and failing lines on stderr, in the order in which they come; the line of a terminal is written anew each time. */
class ImportReport {
  readonly #host: CliHost;
  #saidAtMs: number;
  #open = false;
  #written: Promise<void> = Promise.resolve();

  constructor(host: CliHost) {
    this.#host = host;
    this.#saidAtMs = host.clock.now();
  }

  progress(counts: ImportCounts): void {
    const { stderr, clock } = this.#host;
    if (!stderr.isTTY && clock.now() - this.#saidAtMs < plainEveryMs) return;
    this.#saidAtMs = clock.now();
    this.#say(stderr.isTTY ? `\r\x1b[K${textOf(counts)}` : `${textOf(counts)}\n`, stderr.isTTY);
  }

  failure({ line, code, message }: ImportFailure): void {
    this.#say(`${this.#open ? "\r\x1b[K" : ""}line ${line}: ${code}: ${oneLine(message)}\n`, false);
  }

  /** Ends the terminal's line. */
  async end(): Promise<void> {
    if (this.#open) this.#say("\r\x1b[K", false);
    await this.#written;
  }

  #say(text: string, open: boolean): void {
    this.#open = open;
    this.#written = this.#written.then(() => this.#host.stderr.write(text));
  }
}

function textOf({ lines, imported, failed }: ImportCounts): string {
  return `${lines} lines read, ${imported} imported, ${failed} failed`;
}

export const importCommand: Command = {
  name: "import",
  summary: "store records from NDJSON, as export writes them",
  arguments: [{ name: "FILE", help: "the file; - for stdin" }],
  flags: [opIdFlag],
  notes: [
    'One record in a line: {"key":…} with exactly one of "json", "text" and "base64", and maybe "contentType", "expiresInMs" and "tags".',
    "Failing lines are named on stderr (the first 100) and the others imported; the exit code is then 1.",
    "With --op-id the same import can be repeated within 5 minutes without doing anything twice.",
  ],
  examples: [
    { line: "warp import users.ndjson", prints: ["2 lines read, 2 imported, 0 failed"] },
    { line: "gzip -dc users.ndjson.gz | warp import -" },
    { line: "echo 'no record' | warp import -", prints: ["1 lines read, 0 imported, 1 failed"], exit: 1 },
  ],
  async run({ client, space, host, json, timeoutMs }, args) {
    const report = new ImportReport(host);
    const opId = opIdOf(args);
    try {
      // The server gives a chunk two times the time-out before it says anything about it.
      const { stopped, ...counts } = await importLines(
        client,
        space,
        openSource(args.at(0), host),
        timeoutMs * 2,
        {
          onProgress: (counts) => report.progress(counts),
          onFailure: (failure) => report.failure(failure),
          ...(opId === undefined ? {} : { opId }),
        },
      );
      await report.end();
      const result = stopped === undefined ? counts : { ...counts, stopped };
      await host.stdout.write(json ? `${JSON.stringify(result)}\n` : `${textOf(counts)}\n`);
      if (stopped === undefined) return counts.failed > 0 ? 1 : 0;
      const error = WarpError.fromData(stopped);
      await host.stderr.write(`warp: ${error.code}: the import stopped: ${oneLine(error.message)}\n`);
      return exitCodeOf(error);
    } finally {
      await report.end();
    }
  },
};

import type { Clock, Timers } from "../runtime/clock.ts";
import type { Fetch } from "../runtime/fetch.ts";
import type { Random } from "../runtime/random.ts";

/** Where a command writes. */
export interface Output {
  readonly isTTY: boolean;
  /** Resolves when more may be written. Rejects with {@link OutputClosed} when nobody reads any more. */
  write(data: string | Uint8Array): Promise<void>;
}

/** Whoever read our output is gone, as in `warp list --all | head -1`. No trouble of ours: the command ends without a word. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** Signals that ask a process to end. */
export type EndSignal = "SIGHUP" | "SIGINT" | "SIGTERM";

/** A command that runs. */
export interface Child {
  /** How it ended: its exit code; 128 and the signal's number, as shells say it; 127 where there is no such command, 126 where it can't be run. */
  readonly ended: Promise<number>;
  /** Why it could not be run, once it has {@link ended}; undefined where it was. */
  trouble(): string | undefined;
  /** To it and, where no terminal belongs to it, to all that it has started. Nothing where they have ended. */
  kill(signal: EndSignal | "SIGKILL"): void;
  /** Whether something that {@link kill} reaches is still there. */
  leaves(): boolean;
}

/** All that the command line asks of the process it runs in. */
export interface CliHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** The bytes of a file, piece by piece. What the system says against it is thrown as it is, with its `code`. */
  openFile(path: string): AsyncIterable<Uint8Array>;
  /** Starts a command that has this process's input and output, and its environment with `env` on top. */
  spawn(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Child;
  /** Hears of signals that would end this process; while anybody listens they don't. The answer takes it back. */
  onSignal(listener: (signal: EndSignal) => void): () => void;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Measures elapsed time; never goes back. */
  readonly elapsed: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

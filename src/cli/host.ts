import type { Fetch } from "../client/fetch.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
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

/** All that the command line asks of the process it runs in. */
export interface CliHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** The bytes of a file, piece by piece. What the system says against it is thrown as it is, with its `code`. */
  openFile(path: string): AsyncIterable<Uint8Array>;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

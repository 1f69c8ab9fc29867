import { WarpError } from "../errors.ts";
import type { Deadline } from "./deadline.ts";

/** A body on its way: the deadline rests while its source is the one that is waited for. */
export interface Watched {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Whether more may come. */
  open(): boolean;
  /** What the source failed with. */
  fault(): WarpError | undefined;
}

/** Sends `source` under `deadline`. */
export function watched(source: AsyncIterable<Uint8Array>, deadline: Deadline): Watched {
  let open = true;
  let fault: WarpError | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        deadline.touch();
        yield chunk;
        deadline.rest();
      }
    } catch (error) {
      fault = WarpError.from(error, "aborted", "the body to send could not be read");
      throw error;
    } finally {
      open = false;
    }
    deadline.touch();
  }
  return { chunks: chunks(), open: () => open, fault: () => fault };
}

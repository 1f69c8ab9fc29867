import { WarpError } from "../errors.ts";
import { utf8 } from "../runtime/bytes.ts";
import { ceilingMaxValueBytes } from "../runtime/limits.ts";
import { usageError } from "./arguments.ts";
import type { CliHost } from "./host.ts";
import { shownName } from "./text.ts";

/** A value and where it came from, by which its default type is chosen. */
export interface Input {
  readonly bytes: Uint8Array;
  readonly from: "argument" | "file" | "stdin";
}

/** The value that `text` names: itself, `@file`, or stdin for `-` and for nothing. Throws `value_too_large`, usage errors. */
export async function readInput(text: string | undefined, host: CliHost): Promise<Input> {
  if (text?.startsWith("@")) {
    return { bytes: await readValue(openSource(text.slice(1), host)), from: "file" };
  }
  if (text !== undefined && text !== "-") return { bytes: utf8(text), from: "argument" };
  if (text === undefined && host.stdin.isTTY)
    throw usageError("VALUE is missing: give it, @file or - for stdin");
  return { bytes: await readValue(host.stdin), from: "stdin" };
}

function readValue(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return readAll(source, ceilingMaxValueBytes, "a value");
}

/** The bytes of a file, or of stdin for `-`. A file that can't be read is a usage error. */
export async function* openSource(path: string, host: CliHost): AsyncGenerator<Uint8Array> {
  if (path === "-") {
    yield* host.stdin;
    return;
  }
  try {
    yield* host.openFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new WarpError("invalid_argument", `can't read ${shownName(path)}: ${code}`, { cause: error });
  }
}

/** All of it, as long as any deployment could take it. Throws `value_too_large` beyond `maxBytes`; `what` names it in the message. */
export async function readAll(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
  what: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of source) {
    length += part.byteLength;
    if (length > maxBytes) {
      throw new WarpError("value_too_large", `${what} has at most ${maxBytes} bytes`);
    }
    parts.push(part);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

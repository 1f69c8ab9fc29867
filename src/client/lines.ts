import { WarpError } from "../errors.ts";

/** Cuts a stream of UTF-8 into its lines, without their newlines. Throws `decode_failed` where it is not UTF-8. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let held = "";
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new WarpError("decode_failed", "the server's answer is not UTF-8", { cause });
    }
  };
  for await (const chunk of chunks) {
    const parts = (held + decode(chunk)).split("\n");
    held = parts.pop() ?? "";
    yield* parts;
  }
  held += decode();
  if (held !== "") yield held;
}

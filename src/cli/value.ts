import type { Payload } from "../protocol/payload.ts";
import { type Arguments, usageError } from "./arguments.ts";
import type { CliHost } from "./host.ts";
import { type Input, readInput } from "./input.ts";

type ShortType = "json" | "text" | "bytes";

const shortTypes: Readonly<Record<ShortType, string>> = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
  bytes: "application/octet-stream",
};

/** Roughly, and what a header can carry; the server looks closer. */
const mediaType = /^[\x21-\x7e]+\/[\x20-\x7e]+$/;

/** What `--type` says, or else `fallback`. */
function typeOf(args: Arguments, fallback: ShortType): string {
  const type = args.text("type") ?? fallback;
  const known = Object.hasOwn(shortTypes, type)
    ? shortTypes[type as ShortType]
    : mediaType.test(type)
      ? type
      : undefined;
  if (known === undefined) throw usageError("--type takes a media type, or json, text or bytes");
  return known;
}

/** The value that the second argument names, with the type of `--type`. `fallback` is the type where there is none. */
export async function readPayload(
  args: Arguments,
  host: CliHost,
  fallback: (input: Input) => ShortType,
): Promise<Payload> {
  const input = await readInput(args.positionals[1], host);
  return { bytes: input.bytes, contentType: typeOf(args, fallback(input)) };
}

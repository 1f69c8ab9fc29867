import { type ErrorData, errorCodes } from "../../errors.ts";
import { isPlain, list, type Optional, optional, type Reader, record, text, truth, whole } from "./check.ts";
import type { ServerFrame } from "./frames.ts";
import { invalidFrame, parseFrame, withBytes } from "./json.ts";
import { readRows } from "./watch-rows.ts";

const knownCodes: ReadonlySet<unknown> = new Set(errorCodes);

/** An error as the shard told it; a code that a newer shard may have is `internal` here. */
const errorData: Reader<ErrorData> = (value, at) => {
  const read = record({ code: text, message: text, outcome: text, retryable: truth })(value, at);
  const outcome = read.outcome === "fail" ? "fail" : "unknown";
  const known = knownCodes.has(read.code);
  if (!known || !isPlain(value)) {
    return { ...read, code: "internal", message: `${read.code}: ${read.message}`, outcome };
  }
  return { ...(value as unknown as ErrorData), outcome };
};

const texts = optional(list(text));

const serverFrames: Readonly<Record<string, Readonly<Record<string, Reader<unknown> | Optional<unknown>>>>> =
  {
    welcome: {
      session: text,
      subject: text,
      epoch: text,
      revision: whole(),
      heartbeatMs: whole(),
      leaseMs: whole(),
      maxFrameBytes: whole(),
      resumed: text,
      shards: whole(),
      expiresAtMs: optional(whole()),
    },
    ok: { id: whole() },
    err: { id: whole(), e: errorData },
    ev: { epoch: text, after: whole(), to: whole(), es: changes },
    inv: { n: whole(), epoch: text, at: whole(), keys: texts, prefixes: texts, tags: texts },
    prog: { epoch: text, to: whole() },
    gap: { id: optional(whole()), epoch: text, to: whole(), why: text },
    on: { id: whole(), epoch: text, revision: whole() },
    we: { id: optional(whole()), epoch: text, after: whole(), to: whole(), es: readRows.events },
    snap: { id: whole(), epoch: text, to: whole(), es: readRows.states },
    msg: { es: readRows.messages },
    missed: { n: whole() },
    pres: { id: whole(), es: readRows.members, n: optional(whole()), me: optional(text) },
    end: { id: whole(), e: errorData },
    pong: {
      id: whole(),
      epoch: text,
      to: whole(),
      lease: optional(record({ ms: whole(), term: whole() })),
    },
    lost: { name: text, fence: whole(), reason: text },
    go: { withinMs: whole() },
    mark: { n: whole() },
    beat: {},
  };

function changes(value: unknown, at: string): unknown {
  const good =
    Array.isArray(value) &&
    value.every(
      (entry) => Array.isArray(entry) && whole()(entry[0], at) >= 0 && typeof entry[2] === "string",
    );
  if (good) return value;
  throw invalidFrame(`${at} must be a list of changes`);
}

/**
 * A frame of a shard, tolerantly: undefined for a kind that this client does not know; members that it does not know stay. Throws `invalid_frame`
 * where a known member has a wrong type.
 */
export function readServerFrame(frame: unknown): ServerFrame | undefined {
  if (!isPlain(frame) || typeof frame.t !== "string") throw invalidFrame("a frame is an object with t");
  const members = Object.hasOwn(serverFrames, frame.t) ? serverFrames[frame.t] : undefined;
  if (members === undefined) return undefined;
  const read: Record<string, unknown> = { ...frame };
  for (const [name, reader] of Object.entries(members)) {
    if (typeof reader === "function") read[name] = reader(frame[name], name);
    else if (frame[name] !== undefined) read[name] = reader.optional(frame[name], name);
  }
  return read as unknown as ServerFrame;
}

/** {@link readServerFrame} of JSON. Throws `frame_too_large` as well. */
export function decodeServerFrame(data: string | Uint8Array): ServerFrame | undefined {
  const frame = readServerFrame(parseFrame(data));
  return frame?.t === "ok" ? { ...frame, r: withBytes(frame.r) } : frame;
}

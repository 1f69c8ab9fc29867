import { type ErrorData, errorCodes, WarpError } from "../../errors.ts";
import { fromBase64, toBase64, utf8Length } from "../../runtime/bytes.ts";
import { maxFrameBytes, maxFrameDepth, maxTokenLength } from "../../runtime/limits.ts";
import { watchModes, watchOperations } from "../watch.ts";
import {
  bytesMember,
  isPlain,
  list,
  type Optional,
  optional,
  type Reader,
  record,
  text,
  textOf,
  truth,
  variants,
  whole,
  word,
} from "./check.ts";
import type { ClientFrame, ServerFrame } from "./frames.ts";
import { isShallow } from "./nesting.ts";
import { readRows, type WatchStart } from "./watch-frames.ts";

/** A frame as text. */
export function encodeFrame(frame: ClientFrame | ServerFrame): string {
  // Only these two carry bytes; the others are too many to walk through for nothing.
  return JSON.stringify(frame.t === "call" || frame.t === "ok" ? withoutBytes(frame) : frame);
}

function withoutBytes(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { [bytesMember]: toBase64(value) };
  if (Array.isArray(value)) return value.map(withoutBytes);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withoutBytes(part)]));
}

/** The JSON in a frame. Throws `invalid_frame`, `frame_too_large`. */
function parse(data: string | Uint8Array): unknown {
  if (typeof data !== "string") throw invalid("a frame is text");
  if (data.length > maxFrameBytes || (data.length * 3 > maxFrameBytes && utf8Length(data) > maxFrameBytes)) {
    throw new WarpError("frame_too_large", `a frame has at most ${maxFrameBytes} bytes`, {
      details: { max: maxFrameBytes },
    });
  }
  if (!isShallow(data, maxFrameDepth)) throw invalid(`a frame is at most ${maxFrameDepth} levels deep`);
  try {
    return JSON.parse(data);
  } catch {
    throw invalid("a frame is JSON");
  }
}

function invalid(why: string): WarpError {
  return new WarpError("invalid_frame", why);
}

const nodeName: Reader<string> = (value, at) => {
  const name = textOf(8, 64)(value, at);
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  throw invalid(`${at} takes A-Z a-z 0-9 _ -`);
};

const kind = (value: unknown): unknown => value;

const place = record({ epoch: textOf(16, 16), revision: whole() });
const subscription = record({
  t: kind as Reader<"sub">,
  id: whole(),
  key: optional(text),
  prefix: optional(text),
  mode: word(...watchModes),
  from: ((value, at) =>
    typeof value === "string" ? word("now", "snapshot")(value, at) : place(value, at)) as Reader<WatchStart>,
  ops: optional(list(word(...watchOperations), watchOperations.length, 1)),
});

/** A client's frame; of a call only what it is about, see `readCall` for the rest. */
const clientFrame: Reader<ClientFrame> = variants<ClientFrame>("t", {
  hello: record({
    t: kind as Reader<"hello">,
    v: whole(),
    node: nodeName,
    zone: optional(textOf(1, 64)),
    cursor: optional(place),
    follow: optional(truth),
  }),
  beat: record({ t: kind as Reader<"beat"> }),
  ping: record({ t: kind as Reader<"ping">, id: whole(), lease: optional(truth) }),
  ack: record({ t: kind as Reader<"ack">, inv: whole() }),
  seen: record({ t: kind as Reader<"seen">, n: whole() }),
  call: record({
    t: kind as Reader<"call">,
    id: whole(),
    m: kind as Reader<Extract<ClientFrame, { t: "call" }>["m"]>,
    a: kind as Reader<readonly unknown[]>,
  }),
  bye: record({ t: kind as Reader<"bye"> }),
  sub: (value, at) => {
    const frame = subscription(value, at);
    if ((frame.key === undefined) === (frame.prefix === undefined))
      throw invalid("a watch is of a key or of a prefix");
    return frame;
  },
  unsub: record({ t: kind as Reader<"unsub">, id: whole() }),
  auth: record({ t: kind as Reader<"auth">, id: whole(), token: textOf(1, maxTokenLength) }),
});

/**
 * A frame of a client, strictly: types are checked, unknown members left out. The method and the arguments of a call are not looked at
 * yet: `readCall` does, so that its id is known when they are wrong. Throws `invalid_frame` naming the member, `frame_too_large`.
 */
export function decodeClientFrame(data: string | Uint8Array): ClientFrame {
  return clientFrame(parse(data), "");
}

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
  throw invalid(`${at} must be a list of changes`);
}

/**
 * A frame of a shard, tolerantly: undefined for a kind that this client does not know; members that it does not know stay. Throws `invalid_frame`
 * where a known member has a wrong type, `frame_too_large`.
 */
export function decodeServerFrame(data: string | Uint8Array): ServerFrame | undefined {
  const frame = parse(data);
  if (!isPlain(frame) || typeof frame.t !== "string") throw invalid("a frame is an object with t");
  const members = Object.hasOwn(serverFrames, frame.t) ? serverFrames[frame.t] : undefined;
  if (members === undefined) return undefined;
  const read: Record<string, unknown> = { ...frame };
  for (const [name, reader] of Object.entries(members)) {
    if (typeof reader === "function") read[name] = reader(frame[name], name);
    else if (frame[name] !== undefined) read[name] = reader.optional(frame[name], name);
  }
  if (frame.t === "ok") read.r = withBytes(frame.r);
  return read as unknown as ServerFrame;
}

/** Bytes again where they stood. In place: the value was parsed a moment ago and is nobody else's. */
function withBytes(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const coded = (value as Record<string, unknown>)[bytesMember];
  if (typeof coded === "string") {
    try {
      return fromBase64(coded);
    } catch {
      throw invalid("bytes are base64");
    }
  }
  const parts = value as Record<string, unknown>;
  for (const [name, part] of Object.entries(parts)) {
    if (typeof part === "object" && part !== null) parts[name] = withBytes(part);
  }
  return value;
}

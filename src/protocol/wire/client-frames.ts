import { maxTokenLength } from "../../runtime/limits.ts";
import { watchModes, watchOperations } from "../watch.ts";
import {
  list,
  mark,
  optional,
  type Reader,
  record,
  streamPlace,
  text,
  textOf,
  truth,
  variants,
  whole,
  word,
} from "./check.ts";
import type { ClientFrame } from "./frames.ts";
import { invalidFrame, parseFrame } from "./json.ts";
import { shownData } from "./presence-frames.ts";
import type { WatchStart } from "./watch-frames.ts";

const nodeName: Reader<string> = (value, at) => {
  const name = textOf(8, 64)(value, at);
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  throw invalidFrame(`${at} takes A-Z a-z 0-9 _ -`);
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
  presence: optional(mark),
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
    fallback: optional(streamPlace),
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
      throw invalidFrame("a watch is of a key or of a prefix");
    return frame;
  },
  here: record({ t: kind as Reader<"here">, id: whole(), data: shownData }),
  unsub: record({ t: kind as Reader<"unsub">, id: whole() }),
  auth: record({ t: kind as Reader<"auth">, id: whole(), token: textOf(1, maxTokenLength) }),
});

/**
 * A frame of a client, strictly: types are checked, unknown members left out. The method and the arguments of a call are not looked at
 * yet: `readCall` does, so that its id is known when they are wrong. Throws `invalid_frame` naming the member.
 */
export function readClientFrame(value: unknown): ClientFrame {
  return clientFrame(value, "");
}

/** {@link readClientFrame} of JSON. Throws `frame_too_large` as well. */
export function decodeClientFrame(data: string | Uint8Array): ClientFrame {
  return readClientFrame(parseFrame(data));
}

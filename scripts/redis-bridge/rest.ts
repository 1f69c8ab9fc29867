import { type Reply, RespError } from "./resp.ts";

/** A request to the REST surface, as commands. */
export type RestCall =
  | { readonly kind: "one"; readonly commands: readonly [readonly string[]] }
  | { readonly kind: "pipeline" | "transaction"; readonly commands: readonly (readonly string[])[] }
  | { readonly kind: "subscribe"; readonly command: "SUBSCRIBE" | "PSUBSCRIBE"; readonly channel: string };

/** Commands that don't exist over REST: they would need a connection. */
const blocked = new Set(
  "WATCH UNWATCH MULTI EXEC DISCARD BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT SHUTDOWN CLIENT SELECT".split(
    " ",
  ),
);

/** Throws what is to be answered with 400. */
export function parseCall(path: string, query: URLSearchParams, body: string): RestCall {
  const segments = path.split("/").filter((segment) => segment !== "");
  if (segments.length === 0) return { kind: "one", commands: [words(JSON.parse(body))] };
  const [first = ""] = segments;
  if (first === "pipeline" || first === "multi-exec") {
    const list: unknown = JSON.parse(body);
    if (!Array.isArray(list)) throw new Error("ERR Failed to parse the pipeline request");
    const commands = list.map(words);
    return { kind: first === "pipeline" ? "pipeline" : "transaction", commands };
  }
  const name = first.toUpperCase();
  if (name === "SUBSCRIBE" || name === "PSUBSCRIBE") {
    return { kind: "subscribe", command: name, channel: decodeURIComponent(segments[1] ?? "") };
  }
  const fromPath = segments.map((segment) => decodeURIComponent(segment));
  const fromQuery = [...query].filter(([key]) => key !== "_token").flat();
  const fromBody = body === "" ? [] : [body];
  return {
    kind: "one",
    commands: [words([...fromPath, ...fromBody, ...fromQuery.filter((word) => word !== "")])],
  };
}

function words(command: unknown): readonly string[] {
  if (!Array.isArray(command) || command.length === 0) throw new Error("ERR Failed to parse the command");
  const list = command.map((word) => (typeof word === "string" ? word : JSON.stringify(word)));
  const name = (list[0] ?? "").toUpperCase();
  const blocking = name.startsWith("XREAD") && list.some((word) => word.toUpperCase() === "BLOCK");
  if (blocked.has(name) || blocking) {
    throw new Error(`ERR Command is not available: '${list[0]}'. See https://upstash.com/docs for details`);
  }
  return list;
}

/** One command's end as the REST surface tells it. */
export function answerOf(reply: Reply, base64: boolean): { result: unknown } | { error: string } {
  return reply instanceof RespError ? { error: reply.message } : { result: plain(reply, base64) };
}

function plain(reply: Reply, base64: boolean): unknown {
  if (reply === null || typeof reply === "number") return reply;
  // An error within a list has no place of its own.
  if (reply instanceof RespError) return reply.message;
  if (!Buffer.isBuffer(reply)) return (reply as readonly Reply[]).map((item) => plain(item, base64));
  const isOk = reply.length === 2 && reply.toString() === "OK";
  return base64 && !isOk ? reply.toString("base64") : reply.toString("utf8");
}

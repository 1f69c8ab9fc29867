import type { IncomingMessage, ServerResponse } from "node:http";
import { type Bed, connectionOf, type Recorded } from "./bed-state.ts";
import type { Fault } from "./faults.ts";
import { RespConnection, RespError } from "./resp.ts";
import { answerOf, parseCall, type RestCall } from "./rest.ts";

/** One request to a bed's surface. */
export async function serve(
  bed: Bed,
  request: IncomingMessage,
  response: ServerResponse,
  { path, query, body }: { path: string; query: URLSearchParams; body: string },
): Promise<void> {
  bed.requests++;
  let isAnswered = false;
  response.on("close", () => {
    if (!isAnswered && !response.writableEnded) bed.left++;
  });
  const bearer = request.headers.authorization?.replace(/^Bearer /, "") ?? query.get("_token");
  if (bearer !== bed.token) {
    return sendJson(response, 401, { error: "WRONGPASS invalid or missing auth token" });
  }
  if (body.length > bed.maxRequestBytes) {
    const error = `ERR max request size exceeded. Limit: ${bed.maxRequestBytes} bytes, Actual: ${body.length} bytes`;
    return sendJson(response, 400, { error });
  }
  let call: RestCall;
  try {
    call = parseCall(path, query, body);
  } catch (error) {
    return sendJson(response, 400, { error: error instanceof Error ? error.message : "ERR" });
  }
  const names =
    call.kind === "subscribe" ? [call.command] : call.commands.map(([name = ""]) => name.toUpperCase());
  const fault = bed.faults.next(names);
  if (fault?.kind === "dropBefore") {
    isAnswered = true;
    return void request.socket.destroy();
  }
  if (fault?.kind === "status") return sendJson(response, fault.status ?? 500, { error: "ERR planned" });
  if (fault?.kind === "refuse") return sendJson(response, 400, { error: fault.message ?? "ERR planned" });
  if (call.kind === "subscribe") return subscribe(bed, call, response, fault);
  if (fault?.kind === "late") {
    isAnswered = true;
    request.socket.destroy();
    await sleep(fault.ms ?? 0);
  }
  const record = recordingOf(bed, call.commands);
  let answer: { status: number; text: string };
  try {
    answer = await carryOut(bed, call, request.headers["upstash-encoding"] === "base64");
  } catch {
    // The server went away in the middle: nobody knows what it did.
    record("broken");
    isAnswered = true;
    return void request.socket.destroy();
  }
  const isLost = fault?.kind === "dropAfter" || fault?.kind === "late";
  record(isLost ? "untold" : "told", answer.text);
  if (isLost) {
    isAnswered = true;
    return void request.socket.destroy();
  }
  if (fault?.kind === "delay") await sleep(fault.ms ?? 0);
  const text = fault?.kind === "garbage" ? `<html>${answer.text.slice(0, 20)}` : answer.text;
  response.writeHead(answer.status, {
    "content-type": "application/json",
    "upstash-sync-token": `${bed.requests}`,
  });
  if (fault?.kind === "slow") {
    const half = Math.ceil(text.length / 2);
    response.write(text.slice(0, half));
    await sleep(fault.ms ?? 0);
    response.end(text.slice(half));
    return;
  }
  response.end(text);
}

/** Notes, where somebody asked for it, what becomes of commands: in the order in which they were sent to Redis. */
function recordingOf(bed: Bed, commands: Recorded["commands"]) {
  const { recorded } = bed;
  if (recorded === undefined) return () => undefined;
  const at = recorded.push({ commands, fate: "broken" }) - 1;
  return (fate: Recorded["fate"], text?: string): void => {
    recorded[at] = { commands, fate, ...(text === undefined ? {} : { answer: JSON.parse(text) }) };
  };
}

/** A subscription as server-sent events, with the surface's own weakness: a message is told as one line, whatever is in it. */
function subscribe(
  bed: Bed,
  { command, channel }: Extract<RestCall, { kind: "subscribe" }>,
  response: ServerResponse,
  fault: Fault | undefined,
): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const stream = new RespConnection(bed.server.path, end, (reply) => {
    if (!Array.isArray(reply)) return;
    const line = reply.map((part) => (part instanceof Buffer ? part.toString() : String(part))).join(",");
    const tell = (): void => void response.write(`data: ${line}\n\n`);
    if (fault?.kind === "slow" || fault?.kind === "delay") setTimeout(tell, fault.ms ?? 0);
    else tell();
  });
  function end(): void {
    bed.streams.delete(end);
    stream.close();
    response.end();
  }
  bed.streams.add(end);
  response.on("close", end);
  stream
    .send([
      ["SELECT", `${bed.database}`],
      [command, channel],
    ])
    .then(
      ([, first]) => {
        const told = Array.isArray(first) ? first.map(String).join(",") : "";
        response.write(`data: ${told}\n\n`);
      },
      () => end(),
    );
}

async function carryOut(
  bed: Bed,
  call: Exclude<RestCall, { kind: "subscribe" }>,
  base64: boolean,
): Promise<{ status: number; text: string }> {
  const connection = connectionOf(bed);
  const commands = call.kind === "transaction" ? [["MULTI"], ...call.commands, ["EXEC"]] : call.commands;
  const replies = await connection.send(commands);
  if (call.kind === "pipeline") {
    return { status: 200, text: JSON.stringify(replies.map((reply) => answerOf(reply, base64))) };
  }
  const last = replies.at(-1) ?? null;
  if (last instanceof RespError) return { status: 400, text: JSON.stringify({ error: last.message }) };
  if (call.kind === "one") return { status: 200, text: JSON.stringify(answerOf(last, base64)) };
  const results = Array.isArray(last) ? last : [];
  return { status: 200, text: JSON.stringify(results.map((reply) => answerOf(reply, base64))) };
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Fault, Faults } from "./faults.ts";
import { RedisServer } from "./redis-server.ts";
import { RespConnection, RespError } from "./resp.ts";
import { answerOf, parseCall, type RestCall } from "./rest.ts";

/** How a bed is made. */
export interface BedRequest {
  /** A redis-server of its own, which may be killed and restarted and loses nothing that it acknowledged. Default: a database of the shared one. */
  readonly own?: boolean;
  /** Of the faults that hit a share. Default 1. */
  readonly seed?: number;
  /** Longest body, in bytes. Default 10,485,760. */
  readonly maxRequestBytes?: number;
}

/** Where a bed's REST surface is. */
export interface BedAddress {
  readonly url: string;
  readonly token: string;
  /** Takes orders: see `bed.ts`. */
  readonly control: string;
}

interface Bed {
  readonly token: string;
  readonly faults: Faults;
  readonly server: RedisServer;
  readonly isOwn: boolean;
  readonly database: number;
  readonly maxRequestBytes: number;
  readonly streams: Set<() => void>;
  connection: RespConnection | undefined;
  /** Requests to the REST surface so far, and those whose sender left before the answer. */
  requests: number;
  left: number;
}

/**
 * An Upstash-like REST surface in front of real redis-servers, one bed for each test: `/beds` makes one, `/beds/{id}` is its surface,
 * `/control/{id}/{order}` what is done to it.
 */
export class RedisBridge {
  readonly #http: Server;
  readonly #beds = new Map<string, Bed>();
  #shared: Promise<RedisServer> | undefined;
  #databases = 0;

  constructor() {
    this.#http = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500, { "content-type": "application/json" });
        response.end(JSON.stringify({ error: `ERR ${error instanceof Error ? error.message : error}` }));
      });
    });
    this.#http.keepAliveTimeout = 60_000;
  }

  /** Gives its URL. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#http.listen(0, "127.0.0.1", resolve));
    const address = this.#http.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#beds.keys()].map((id) => this.#endBed(id)));
    await (await this.#shared)?.end();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    const [, area, id = "", ...rest] = url.pathname.split("/");
    const body = await bodyOf(request);
    if (area === "beds" && id === "") {
      const made = await this.#open(url.origin, body === "" ? {} : (JSON.parse(body) as BedRequest));
      return sendJson(response, 200, made);
    }
    const bed = this.#beds.get(id);
    if (bed === undefined) return sendJson(response, 404, { error: "ERR there is no such bed" });
    if (area === "control") return sendJson(response, 200, await this.#obey(id, bed, rest[0] ?? "", body));
    await this.#serve(bed, request, response, { path: rest.join("/"), query: url.searchParams, body });
  }

  async #open(origin: string, { own = false, seed = 1, ...request }: BedRequest): Promise<BedAddress> {
    this.#shared ??= own ? undefined : RedisServer.start(false);
    const server = own ? await RedisServer.start(true) : await this.#shared;
    if (server === undefined) throw new Error("no server");
    const [id, token] = [randomUUID(), randomUUID()];
    const { maxRequestBytes = 10_485_760 } = request;
    const database = own ? 0 : this.#databases++ % 4_096;
    const streams = new Set<() => void>();
    const faults = new Faults(seed);
    const place = { token, faults, server, isOwn: own, database, maxRequestBytes, streams };
    this.#beds.set(id, { ...place, connection: undefined, requests: 0, left: 0 });
    return { url: `${origin}/beds/${id}`, token, control: `${origin}/control/${id}` };
  }

  async #endBed(id: string): Promise<void> {
    const bed = this.#beds.get(id);
    if (bed === undefined) return;
    this.#beds.delete(id);
    for (const end of bed.streams) end();
    if (!bed.isOwn) await connectionOf(bed).send([["FLUSHDB", "ASYNC"]]);
    bed.connection?.close();
    if (bed.isOwn) await bed.server.end();
  }

  async #obey(id: string, bed: Bed, order: string, body: string): Promise<unknown> {
    switch (order) {
      case "fault":
        bed.faults.add(JSON.parse(body) as Fault);
        return {};
      case "clear":
        bed.faults.clear();
        return {};
      case "command": {
        // Past the surface and its faults, as another program would write.
        const [reply = null] = await connectionOf(bed).send([JSON.parse(body) as string[]]);
        return answerOf(reply, true);
      }
      case "requests":
        return { requests: bed.requests, left: bed.left };
      case "endStreams":
        for (const end of bed.streams) end();
        return {};
      case "kill":
      case "start":
      case "restart":
        if (!bed.isOwn) throw new Error("the shared server is not to be killed: ask for one of your own");
        if (order !== "start") await bed.server.kill();
        if (order !== "kill") await bed.server.start();
        return {};
      case "end":
        await this.#endBed(id);
        return {};
      default:
        throw new Error(`no such order: ${order}`);
    }
  }

  async #serve(
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
    if (call.kind === "subscribe") return this.#subscribe(bed, call, response, fault);
    let answer: { status: number; text: string };
    try {
      answer = await carryOut(bed, call, request.headers["upstash-encoding"] === "base64");
    } catch {
      // The server went away in the middle: nobody knows what it did.
      isAnswered = true;
      return void request.socket.destroy();
    }
    if (fault?.kind === "dropAfter") {
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

  /** A subscription as server-sent events, with the surface's own weakness: a message is told as one line, whatever is in it. */
  #subscribe(
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

/** The bed's connection for commands; a new one where the last one broke. */
function connectionOf(bed: Bed): RespConnection {
  if (bed.connection !== undefined) return bed.connection;
  const connection = new RespConnection(bed.server.path, () => {
    if (bed.connection === connection) bed.connection = undefined;
  });
  bed.connection = connection;
  connection.send([["SELECT", `${bed.database}`]]).catch(() => undefined);
  return connection;
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

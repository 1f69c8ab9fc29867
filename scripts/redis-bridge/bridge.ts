import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Bed, type BedAddress, type BedRequest, connectionOf } from "./bed-state.ts";
import { type Fault, Faults } from "./faults.ts";
import { RedisServer } from "./redis-server.ts";
import { answerOf } from "./rest.ts";
import { sendJson, serve } from "./surface.ts";

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

  /** Listens on `port`; 0: on a free one. Gives its URL. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen(port, "127.0.0.1", resolve);
    });
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
    await serve(bed, request, response, { path: rest.join("/"), query: url.searchParams, body });
  }

  async #open(
    origin: string,
    { own = false, folder, seed = 1, id = randomUUID(), ...request }: BedRequest,
  ): Promise<BedAddress> {
    this.#shared ??= own ? undefined : RedisServer.start({ durable: false });
    const kept = folder === undefined ? {} : { folder };
    const server = own ? await RedisServer.start({ durable: true, ...kept }) : await this.#shared;
    if (server === undefined) throw new Error("no server");
    const { maxRequestBytes = 10_485_760, token = randomUUID() } = request;
    const database = own ? 0 : this.#databases++ % 4_096;
    const streams = new Set<() => void>();
    const faults = new Faults(seed);
    const place = { token, faults, server, isOwn: own, database, maxRequestBytes, streams };
    this.#beds.set(id, { ...place, connection: undefined, requests: 0, left: 0, recorded: undefined });
    return { url: `${origin}/beds/${id}`, token, control: `${origin}/control/${id}`, socket: server.path };
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
      case "record":
        bed.recorded = [];
        return {};
      case "recorded":
        return bed.recorded ?? [];
      case "monitor":
        await bed.server.monitor();
        return {};
      case "monitored":
        return bed.server.monitored;
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
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

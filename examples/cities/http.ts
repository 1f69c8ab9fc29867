import {
  Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from "node:http";

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One isolate's HTTP address, with keep-alive connections. */
export class Isolate {
  readonly url: string;
  readonly #agent: Agent;

  constructor(url: string, connections: number) {
    this.url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Begins a call whose body and answer stream. */
  open(method: string, path: string, contentType: string): ClientRequest {
    return request(this.url + path, { method, agent: this.#agent, headers: { "Content-Type": contentType } });
  }

  /** Makes a call and takes the whole answer. Rejects unless its status is a success. */
  async call(method: string, path: string, body?: string): Promise<Answer> {
    const sent = this.open(method, path, "application/json");
    sent.end(body);
    const answer = await answerOf(sent);
    let text = "";
    for await (const chunk of answer.setEncoding("utf8")) text += chunk;
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);
    return { status, headers: answer.headers, body: text };
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The answer to a request, when its head has come. */
export function answerOf(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => sent.on("response", resolve).on("error", reject));
}

/** The path of a key. */
export function keyPath(space: string, key: string): string {
  return `/v1/${space}/keys/${encodeURIComponent(key)}`;
}

import { Agent, request } from "node:http";

/** What a request came to. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The `code` of a problem; undefined for a success. */
  readonly code: string | undefined;
  readonly cache: string | undefined;
  readonly version: number;
  /** By `performance.now()`. */
  readonly begunAtMs: number;
  readonly endedAtMs: number;
}

/** One client with one connection that it keeps. */
export class StressClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Sends a request; with `leaveAfterMs` the client breaks its connection then, and the answer is undefined. */
  async send(
    method: string,
    path: string,
    options: {
      readonly body?: string;
      readonly json?: boolean;
      readonly leaveAfterMs?: number;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<Answer | undefined> {
    const { body, json = false, leaveAfterMs, timeoutMs = 10_000 } = options;
    const begunAtMs = performance.now();
    return await new Promise((resolve, reject) => {
      const contentType = json ? "application/json" : "text/plain; charset=utf-8";
      const out = request(
        `${this.#url}${path}`,
        {
          agent: this.#agent,
          method,
          headers: body === undefined ? {} : { "Content-Type": contentType },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", fail);
          answer.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            const status = answer.statusCode ?? 0;
            resolve({
              status,
              text,
              code: status < 400 ? undefined : codeOf(text),
              cache: header(answer.headers["warp-cache"]),
              version: Number(header(answer.headers["warp-version"]) ?? 0),
              begunAtMs,
              endedAtMs: performance.now(),
            });
          });
        },
      );
      const fail = (error: Error): void => {
        if (leaveAfterMs !== undefined) resolve(undefined);
        else reject(new Error(`${method} ${path}: ${error.message}`, { cause: error }));
      };
      out.on("error", fail);
      if (leaveAfterMs !== undefined) setTimeout(() => out.destroy(new Error("left")), leaveAfterMs);
      out.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function codeOf(text: string): string {
  try {
    return String((JSON.parse(text) as { code?: unknown }).code);
  } catch {
    return `no problem: ${text.slice(0, 100)}`;
  }
}

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buildPage } from "./build.ts";

/** What {@link serveBoard} takes. */
export interface BoardOptions {
  /** Where the deployment is; asked at each request. */
  readonly warp: () => string;
  readonly space: string;
  /** What the cards' keys begin with. */
  readonly prefix: string;
  /** The deployment's secret: then the page gets tokens of its own. Absent: the deployment is open. */
  readonly secret?: string;
  /** Life of those tokens in ms. */
  readonly tokenTtlMs?: number;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface Board {
  /** Without a slash at its end. */
  readonly url: string;
  /** Tokens that were handed out. */
  readonly tokens: number;
  close(): Promise<void>;
}

/** Serves the page on loopback. With a secret it is also what an application's server is to a page: it alone knows the secret, and hands out tokens that reach the board's keys only. */
export async function serveBoard(options: BoardOptions): Promise<Board> {
  const files = await buildPage();
  let tokens = 0;

  const token = async (): Promise<string> => {
    const response = await fetch(`${options.warp()}/tokens`, {
      method: "POST",
      headers: { Authorization: `Bearer ${options.secret}`, "Content-Type": "application/json" },
      body: JSON.stringify({
        subject: "board",
        spaces: [options.space],
        prefixes: [options.prefix],
        verbs: ["read", "write", "delete"],
        expiresInMs: options.tokenTtlMs ?? 600_000,
      }),
    });
    if (!response.ok) throw new Error(await response.text());
    tokens++;
    return ((await response.json()) as { token: string }).token;
  };

  const server = createServer((request, response) => {
    // Not every path is an address: "//" is none.
    const [path = "/"] = (request.url ?? "/").split("?");
    const answer = (status: number, type: string, text: string): void => {
      const warp = options.warp();
      const connect = `connect-src 'self' ${warp} ${warp.replace(/^http/, "ws")}`;
      response.writeHead(status, {
        "Content-Type": type,
        "Cache-Control": "no-store",
        "Content-Security-Policy": `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; ${connect}; base-uri 'none'; form-action 'none'`,
        "Referrer-Policy": "no-referrer",
      });
      response.end(text);
    };
    const file = files.get(path);
    if (file !== undefined) return answer(200, file.type, file.text);
    if (path === "/config.json") {
      const { space, prefix, secret } = options;
      const config = { warp: options.warp(), space, prefix, tokens: secret !== undefined };
      return answer(200, "application/json", JSON.stringify(config));
    }
    if (path === "/token" && request.method === "POST" && options.secret !== undefined) {
      token().then(
        (text) => answer(200, "text/plain", text),
        (error: unknown) => answer(502, "text/plain", String(error)),
      );
      return;
    }
    answer(404, "text/plain", "not found\n");
  });
  await new Promise<void>((listening) => server.listen(options.port, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get tokens() {
      return tokens;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

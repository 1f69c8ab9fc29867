import { WarpError } from "../errors.ts";
import type { HttpConfig } from "./config.ts";

/** The host of an authority, in lower case, without port. */
function hostOf(authority: string): string {
  const host = authority.slice(authority.lastIndexOf("@") + 1).replace(/:[0-9]*$/, "");
  return host.toLowerCase();
}

/** Whether `authority` (`host[:port]`) is this machine: `localhost`, `*.localhost`, `127.0.0.0/8` or `[::1]`. */
export function isLoopback(authority: string): boolean {
  const host = hostOf(authority);
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    /^127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}$/.test(host)
  );
}

function isLoopbackOrigin(origin: string): boolean {
  const match = /^https?:\/\/([^/?#@]+)$/i.exec(origin);
  return match?.[1] !== undefined && isLoopback(match[1]);
}

/** Decides which hosts and origins are answered (rule SE5), and what browsers are told about it. */
export class Guard {
  readonly #config: HttpConfig;
  #lastGood = "";

  constructor(config: HttpConfig) {
    this.#config = config;
  }

  /**
   * Refuses what must not reach an open deployment: `host_forbidden`, `origin_forbidden`. A page on the network that makes its name point
   * to this machine (DNS rebinding) comes with its own name in Host and Origin.
   */
  check(authority: string, host: string | null, origin: string | null): void {
    if (!this.#config.open) return;
    if (authority !== this.#lastGood || (host !== null && host !== authority)) {
      if (!isLoopback(authority) || (host !== null && !isLoopback(host))) {
        throw new WarpError(
          "host_forbidden",
          "an open deployment answers loopback hosts only, such as localhost",
        );
      }
      this.#lastGood = authority;
    }
    if (origin !== null && !this.allows(origin)) {
      throw new WarpError(
        "origin_forbidden",
        "an open deployment answers loopback origins and those in WARP_CORS_ORIGINS only",
      );
    }
  }

  /** Whether pages of `origin` may read the answers. */
  allows(origin: string): boolean {
    const { origins, open } = this.#config;
    return origins.includes("*") || origins.includes(origin) || (open && isLoopbackOrigin(origin));
  }

  /** Throws `origin_forbidden` unless there is no origin, or one that is allowed. */
  requireOrigin(origin: string | null): void {
    if (origin !== null && !this.allows(origin))
      throw new WarpError("origin_forbidden", "the origin is not in WARP_CORS_ORIGINS");
  }

  /** Adds what a browser needs to hand the answer to a page of `origin`. */
  stamp(headers: Record<string, string>, origin: string | null): void {
    if (this.#config.origins.length > 0 || this.#config.open) headers.Vary = "Origin";
    if (origin === null || !this.allows(origin)) return;
    headers["Access-Control-Allow-Origin"] = origin;
    headers["Access-Control-Expose-Headers"] = exposed;
  }

  /** The answer to a preflight. Throws `origin_forbidden`. */
  preflight(origin: string): Response {
    this.requireOrigin(origin);
    return new Response(null, {
      status: 204,
      headers: {
        "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST, PATCH, DELETE",
        "Access-Control-Allow-Headers": accepted,
        "Access-Control-Max-Age": "600",
      },
    });
  }
}

const exposed =
  "ETag, Retry-After, Warp-Cache, Warp-Expires-In-Ms, Warp-Op-Id, Warp-Provisional, Warp-Replayed, Warp-Request-Id, Warp-Revision, Warp-Storage, Warp-Version";
const accepted =
  "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, Warp-Fence, Warp-Op-Id, Warp-Request-Id, Warp-Timeout-Ms";

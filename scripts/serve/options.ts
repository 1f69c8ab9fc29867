import { isIPv4, isIPv6 } from "node:net";
import { parseArgs } from "node:util";
import { parseStaticRegistrations } from "../../src/core/static-registrations.ts";
import { isWarpError } from "../../src/errors.ts";
import { readHttpConfig } from "../../src/http/config.ts";
import { parseMetricsInterval } from "../../src/metrics/config.ts";
import { parseSessionBounds, parseWatchers } from "../../src/protocol/config.ts";
import { parseSpaceDefaults } from "../../src/protocol/space-options.ts";
import { parseUpstash, upstashName } from "../../src/protocol/upstash-address.ts";
import { minSecretBytes } from "../../src/runtime/limits.ts";

/** What `npm run serve` was asked to do, checked. */
export interface ServeOptions {
  /** Port of the first isolate, 0 to 65,535; the next ones follow on. 0: a free port for each. Default 8787. */
  readonly port: number;
  /** Address to listen on. Default `127.0.0.1`; another than loopback needs a secret. */
  readonly host: string;
  /** Data folder. Default `.warp/data`. */
  readonly data: string;
  /** Front services on one object host, 1 to 16. Default 1. */
  readonly isolates: number;
  /** Whether the deployment is open because it has no secret: any caller on this machine may do anything. */
  readonly open: boolean;
}

/** A wrong way to call a script: its message is for the user, its exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const serveUsage = `usage: npm run serve -- [--port P] [--data DIR] [--isolates N] [--host H]

  --port P       port of the first isolate, the next ones follow on; 0 takes free ports (default 8787)
  --data DIR     folder that holds all data; made if it is not there (default .warp/data)
  --isolates N   front isolates on one object space, 1 to 16 (default 1)
  --host H       address to listen on (default 127.0.0.1); another than loopback needs WARP_SECRET

environment: WARP_SECRET (at least ${minSecretBytes} bytes; without it: loopback only, open), WARP_SECRET_PREVIOUS,
WARP_CORS_ORIGINS, WARP_MAX_VALUE_BYTES, WARP_REGISTRATIONS, WARP_CACHE_POLICY, WARP_GROUP_COMMIT,
WARP_METRICS_INTERVAL_MS, WARP_SUBSCRIBE, WARP_SSE_ROTATE_MS, WARP_MAX_SOCKETS_PER_SUBJECT,
WARP_MAX_WATCHES_PER_SUBJECT, WARP_MAX_MESSAGES_PER_SECOND, WARP_SHARD_WATCHERS, WARP_RELAY_WATCHERS, WARP_SOCKETS_PER_SECOND,
WARP_DEFAULT_STORAGE, WARP_DEFAULT_FALLBACK, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN`;

/** Reads the flags and the environment. Throws {@link UsageError}; gives `"help"` when asked for the usage. */
export function readServeOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServeOptions | "help" {
  const flags = parseFlags(argv);
  if (flags.help === true) return "help";
  const isolates = wholeNumber("--isolates", flags.isolates ?? "1", 1, 16);
  const port = wholeNumber("--port", flags.port ?? "8787", 0, 65_535);
  if (port !== 0 && port + isolates - 1 > 65_535) {
    throw new UsageError(`--port ${port} leaves no room for ${isolates} isolates below port 65,536`);
  }
  const host = flags.host ?? "127.0.0.1";
  if (host === "") throw new UsageError("--host is empty");
  const data = flags.data ?? ".warp/data";
  if (data === "") throw new UsageError("--data is empty");

  const secret = environment.WARP_SECRET ?? "";
  if (secret === "" && !isLoopback(host)) {
    throw new UsageError(
      `--host ${host} is refused without WARP_SECRET: an open deployment listens on loopback only`,
    );
  }
  checkEnvironment(environment);
  return { port, host, data, isolates, open: secret === "" };
}

/** What the Worker would refuse at its first request is refused here, before anything starts. */
function checkEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
  try {
    readHttpConfig({ ...environment, WARP_OPEN: "" });
    parseStaticRegistrations(environment.WARP_REGISTRATIONS);
    parseMetricsInterval(environment.WARP_METRICS_INTERVAL_MS);
    parseSessionBounds(environment);
    parseWatchers(environment);
    const names = parseUpstash(environment) === undefined ? [] : [upstashName];
    parseSpaceDefaults(environment, { storages: names, fallbacks: names });
  } catch (error) {
    throw isWarpError(error) ? new UsageError(error.message) : error;
  }
}

function parseFlags(argv: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: { port: text, data: text, isolates: text, host: text, help: { type: "boolean", short: "h" } },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new UsageError(`${flag} takes a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

/** Whether only this machine can reach `host`: `localhost`, 127.0.0.0/8 or `::1`. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIPv4(host) && host.startsWith("127.");
}

/** `host:port` as a socket address and in a URL: IPv6 in brackets. */
export function authority(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

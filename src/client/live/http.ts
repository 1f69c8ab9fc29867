import { type ErrorCode, type ErrorData, WarpError } from "../../errors.ts";
import { fromUtf8, utf8 } from "../../runtime/bytes.ts";
import type { ClientHost } from "../../runtime/client-host.ts";
import type { WebRequest } from "../../runtime/fetch.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import type { TokenSource } from "./token-source.ts";
import type { ClientOptions } from "./types.ts";

/** Any HTTP call, as the types of `routes.ts` describe them. */
export interface AnyParameters {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes go as they are, all else as JSON. */
  readonly body?: unknown;
  readonly opId?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface AnyAnswer {
  readonly status: number;
  header(name: string): string | null;
  readonly body: unknown;
}

/** `METHOD /path/{parameter}`; never repeated. Throws the WarpError that a problem stands for. */
export async function httpCall(
  { host, url, space, timeoutMs: usualMs = defaultTimeoutMs }: ClientOptions & { readonly host: ClientHost },
  token: TokenSource,
  route: string,
  parameters: AnyParameters = {},
): Promise<AnyAnswer> {
  const { signal, opId, timeoutMs = usualMs } = parameters;
  const [method = "GET", path = ""] = route.split(" ");
  const changes = method !== "GET";
  let isSent = false;
  const fault = (code: ErrorCode, cause: unknown): WarpError =>
    new WarpError(code, "the call has no answer", {
      cause,
      outcome: changes && isSent ? "unknown" : "fail",
      ...(opId === undefined ? {} : { details: { opId } }),
    });
  if (signal?.aborted === true) throw fault("aborted", signal.reason);
  const controller = new AbortController();
  const onAbort = (): void => controller.abort();
  let isLate = false;
  const late = (): void => {
    isLate = true;
    controller.abort();
  };
  const cancel = host.timers.after(timeoutMs, late, { awaited: true });
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const target = url.replace(/\/+$/, "") + pathOf(path, { space, ...parameters.path }, parameters.query);
    const givenUp = new Promise<never>((_, reject) => controller.signal.addEventListener("abort", reject));
    const text = await Promise.race([token.ask(), givenUp]);
    const request = requestOf(method, parameters, text, timeoutMs, controller.signal);
    isSent = true;
    const response = await host.fetch(target, request);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const body = bodyOf(bytes, response.headers.get("content-type") ?? "");
    // A redirect is followed nowhere: it would carry the token along. Pages see no more of it than a 0.
    if (response.status >= 400 || response.status === 0) throw problem(response.status, body, changes);
    return { status: response.status, header: (name) => response.headers.get(name), body };
  } catch (error) {
    if (error instanceof WarpError) throw error;
    throw fault(signal?.aborted ? "aborted" : isLate ? "deadline_exceeded" : "unavailable", error);
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

function requestOf(
  method: string,
  { body, headers, opId }: AnyParameters,
  token: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): WebRequest {
  const isBytes = body instanceof Uint8Array;
  return {
    method,
    signal,
    redirect: "manual",
    headers: {
      "Warp-Timeout-Ms": String(Math.max(100, Math.ceil(timeoutMs))),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(opId === undefined ? {} : { "Warp-Op-Id": opId }),
      ...(body === undefined || isBytes ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(body === undefined
      ? {}
      : { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : utf8(JSON.stringify(body)) }),
  };
}

function pathOf(
  path: string,
  names: Readonly<Record<string, string>>,
  query: AnyParameters["query"] = {},
): string {
  const filled = path.replace(/\{(\w+)\+?\}/g, (_, name: string) => {
    const value = names[name] ?? "";
    // A URL drops these, however they are written.
    if (/^\.{0,2}$/.test(value)) {
      throw new WarpError("unsupported", `no URL can carry "${value}" as ${name}`, {
        details: { field: name },
      });
    }
    return encodeURIComponent(value);
  });
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(String(value))}`],
  );
  return parts.length === 0 ? filled : `${filled}?${parts.join("&")}`;
}

/** JSON parsed, a list of the lines of NDJSON, other text as text, all else as bytes. */
function bodyOf(bytes: Uint8Array, type: string): unknown {
  if (/ndjson/.test(type)) {
    const lines = fromUtf8(bytes).split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as unknown);
  }
  if (/json/.test(type)) return bytes.length > 0 ? JSON.parse(fromUtf8(bytes)) : undefined;
  return /^text\//.test(type) ? fromUtf8(bytes) : bytes;
}

function problem(status: number, body: unknown, changes: boolean): WarpError {
  const { code, detail, ...rest } = (body ?? {}) as Partial<ErrorData> & { readonly detail?: string };
  if (code !== undefined) return WarpError.fromData({ ...rest, code, message: detail ?? "" } as ErrorData);
  return new WarpError(
    status < 500 ? "invalid_argument" : "unavailable",
    `the server answered ${status}, and not as Warp does`,
    {
      outcome: changes && status >= 500 ? "unknown" : "fail",
    },
  );
}

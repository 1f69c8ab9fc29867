import { type ErrorData, isErrorCode, problems, WarpError } from "../errors.ts";

export { problems } from "../errors.ts";

/** The plain form of whatever was thrown by a call of this HTTP method; what is no WarpError, or one that only a newer shard knows, becomes `internal`, whose own message never leaves. */
export function errorData(error: unknown, method = "POST"): ErrorData {
  if (error instanceof WarpError && isErrorCode(error.code)) return error.toData();
  return {
    code: "internal",
    message: "an unexpected error; the log has it under this request id",
    // A read changes nothing.
    outcome: method === "GET" || method === "HEAD" ? "fail" : "unknown",
    retryable: false,
  };
}

/** The members of a problem (RFC 9457). */
export function problemFacts(error: ErrorData, requestId: string): Readonly<Record<string, unknown>> {
  const { status, title } = problems[error.code];
  return {
    type: `/errors#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    outcome: error.outcome,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    requestId,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** The `application/problem+json` answer for `error`. */
export function problemResponse(error: ErrorData, requestId: string): Response {
  const { status } = problems[error.code];
  const headers: Record<string, string> = {
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
    "Warp-Request-Id": requestId,
  };
  if (error.retryAfterMs !== undefined)
    headers["Retry-After"] = String(Math.ceil(error.retryAfterMs / 1_000));
  if (status === 401) {
    headers["WWW-Authenticate"] =
      error.code === "token_missing" ? 'Bearer realm="warp"' : 'Bearer realm="warp", error="invalid_token"';
  }
  return new Response(`${JSON.stringify(problemFacts(error, requestId))}\n`, { status, headers });
}

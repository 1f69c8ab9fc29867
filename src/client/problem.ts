import { type ErrorCode, type ErrorDetails, errorCodes, isWarpError, WarpError } from "../errors.ts";
import { fromUtf8 } from "../runtime/bytes.ts";

/** A problem document (RFC 9457) as Warp answers it; of servers that are newer than this client it may hold more. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly outcome: "fail" | "unknown";
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly details?: ErrorDetails;
}

/** What is known about an answer that is no success. */
export interface FailedAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly bytes: Uint8Array;
  /** Whether the call may have changed something. */
  readonly mutation: boolean;
}

const known: ReadonlySet<string> = new Set(errorCodes);

/** Codes of answers that Warp did not write: of proxies, and of servers that are something else. */
function foreignCode(status: number): ErrorCode {
  if (status === 401) return "token_invalid";
  if (status === 403) return "forbidden";
  if (status === 404) return "route_not_found";
  if (status === 405) return "method_not_allowed";
  if (status === 413) return "body_too_large";
  if (status === 429) return "overloaded";
  if (status === 504) return "deadline_exceeded";
  if (status === 502 || status === 503) return "unavailable";
  return "internal";
}

function parse(answer: FailedAnswer): Problem | undefined {
  if (!answer.contentType?.startsWith("application/problem+json")) return undefined;
  try {
    const body = JSON.parse(fromUtf8(answer.bytes)) as Partial<Problem> | null;
    if (typeof body?.code !== "string" || typeof body.detail !== "string") return undefined;
    if (body.outcome !== "fail" && body.outcome !== "unknown") return undefined;
    return body as Problem;
  } catch {
    return undefined;
  }
}

/** The error that a failed answer stands for. Its cause is the {@link Problem}, if the answer is one: see {@link problemOf}. */
export function errorOf(answer: FailedAnswer): WarpError {
  const problem = parse(answer);
  if (problem === undefined) {
    const outcome = answer.mutation && answer.status >= 500 ? "unknown" : "fail";
    const message = `the server answered ${answer.status}, and not as Warp does; is it the right URL?`;
    return new WarpError(foreignCode(answer.status), message, { outcome });
  }
  // A code of a newer server keeps its text and its outcome.
  const code = known.has(problem.code) ? (problem.code as ErrorCode) : "internal";
  const message = code === problem.code ? problem.detail : `${problem.code}: ${problem.detail}`;
  return new WarpError(code, message, {
    cause: problem,
    outcome: problem.outcome,
    retryable: problem.retryable === true,
    ...(problem.retryAfterMs === undefined ? {} : { retryAfterMs: problem.retryAfterMs }),
    ...(problem.details === undefined ? {} : { details: problem.details }),
  });
}

/** The problem document that `error` came as; undefined for an error that was made on this side. */
export function problemOf(error: unknown): Problem | undefined {
  if (!isWarpError(error) || typeof error.cause !== "object" || error.cause === null) return undefined;
  return "code" in error.cause && "detail" in error.cause ? (error.cause as Problem) : undefined;
}

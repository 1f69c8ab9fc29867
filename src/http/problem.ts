import { type ErrorCode, type ErrorData, WarpError } from "../errors.ts";

/** HTTP status and title of each code (RFC 9457). */
export const problems: Readonly<Record<ErrorCode, { readonly status: number; readonly title: string }>> = {
  invalid_key: { status: 400, title: "The key is malformed" },
  invalid_encoding: { status: 400, title: "The URL is not properly encoded" },
  invalid_space: { status: 400, title: "The space's name is malformed" },
  invalid_pattern: { status: 400, title: "The pattern is malformed" },
  invalid_registration: { status: 400, title: "The registration is malformed" },
  invalid_argument: { status: 400, title: "An argument is malformed" },
  invalid_limit: { status: 400, title: "The limit is out of range" },
  invalid_ttl: { status: 400, title: "A duration is out of range" },
  invalid_cursor: { status: 400, title: "The cursor is malformed" },
  invalid_version: { status: 400, title: "The version is malformed" },
  invalid_op_id: { status: 400, title: "The op id is malformed" },
  invalid_lock: { status: 400, title: "The lock's name or owner is malformed" },
  invalid_json: { status: 400, title: "The body is not JSON" },
  invalid_line: { status: 400, title: "A line is malformed" },
  invalid_value: { status: 422, title: "The value does not fit its schema" },
  value_too_large: { status: 413, title: "The value is too large" },
  body_too_large: { status: 413, title: "The body is too large" },
  batch_too_large: { status: 413, title: "The batch has too many items" },
  unsupported_media_type: { status: 415, title: "The media type is not supported" },
  duplicate_key: { status: 400, title: "A key is changed twice" },
  invalid_frame: { status: 400, title: "The frame is malformed" },
  frame_too_large: { status: 413, title: "The frame is too large" },
  not_found: { status: 404, title: "The key does not exist" },
  space_not_found: { status: 404, title: "The space does not exist" },
  lease_not_found: { status: 404, title: "The lease does not exist, or has ended" },
  ticket_not_found: { status: 404, title: "There is no such waiter" },
  registration_not_found: { status: 404, title: "The registration does not exist" },
  route_not_found: { status: 404, title: "There is no such route" },
  method_not_allowed: { status: 405, title: "The route does not take this method" },
  unregistered: { status: 409, title: "The key has no registration in a strict space" },
  registration_conflict: { status: 409, title: "The pattern is registered with other settings" },
  space_conflict: { status: 409, title: "The space exists with other settings" },
  space_deleting: { status: 409, title: "The space is being deleted" },
  precondition_failed: { status: 412, title: "A precondition does not hold" },
  op_id_reused: { status: 409, title: "The op id belongs to another operation" },
  op_id_expired: { status: 409, title: "The op id is too old" },
  cursor_compacted: { status: 410, title: "The cursor is older than the kept history" },
  version_compacted: { status: 410, title: "The version is older than the kept history" },
  cross_shard: { status: 422, title: "The keys live in several shards" },
  merge_rule_missing: { status: 409, title: "The key has no merge rule" },
  merge_rule_unknown: { status: 400, title: "There is no such merge rule" },
  merge_failed: { status: 422, title: "The value can't be merged" },
  quorum_failed: { status: 503, title: "Too few nodes could confirm" },
  write_interrupted: { status: 503, title: "The write was interrupted" },
  op_sealed: { status: 409, title: "The op id was sealed" },
  lock_held: { status: 409, title: "The lock is held" },
  lock_waiting: { status: 409, title: "The lock is waited for" },
  lock_lost: { status: 409, title: "The grant has ended" },
  not_owner: { status: 409, title: "The grant is another's" },
  wrong_kind: { status: 409, title: "The name is held as another kind of lock" },
  stale_fence: { status: 409, title: "The fence is not, or no longer, good" },
  session_ended: { status: 503, title: "The session has ended" },
  protocol_mismatch: { status: 400, title: "The protocol is not spoken here" },
  unsupported: { status: 422, title: "This deployment can't do that" },
  token_missing: { status: 401, title: "A token is needed" },
  token_invalid: { status: 401, title: "The token is not valid" },
  token_expired: { status: 401, title: "The token has expired" },
  forbidden: { status: 403, title: "The token does not allow this" },
  origin_forbidden: { status: 403, title: "The origin is not allowed" },
  host_forbidden: { status: 403, title: "The host is not allowed" },
  deployment_closed: { status: 403, title: "The deployment has no secret" },
  misconfigured: { status: 500, title: "The deployment's configuration is wrong" },
  aborted: { status: 499, title: "The caller gave up" },
  deadline_exceeded: { status: 504, title: "The deadline has passed" },
  overloaded: { status: 503, title: "Too much is asked at once" },
  unavailable: { status: 503, title: "The authority can't be reached" },
  storage_timeout: { status: 504, title: "The storage did not answer in time" },
  storage_unavailable: { status: 503, title: "The storage can't be reached" },
  encode_failed: { status: 422, title: "The value can't be encoded" },
  decode_failed: { status: 500, title: "The stored value can't be decoded" },
  warp_closed: { status: 503, title: "This node is closing" },
  internal: { status: 500, title: "Something unexpected happened" },
};

/** The plain form of whatever was thrown by a call of this HTTP method; what is no WarpError becomes `internal`, whose own message never leaves. */
export function errorData(error: unknown, method = "POST"): ErrorData {
  if (error instanceof WarpError) return error.toData();
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

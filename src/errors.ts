/**
 * The one error class of Warp and its closed union of codes.
 *
 * Every refusal, on every surface, is a {@link WarpError} (or, over the wire, its plain form
 * {@link ErrorData}); `docs/errors.md` lists each code with what to do about it.
 */

/** All codes with their HTTP status and title (RFC 9457), in the order of `docs/errors.md`: the one list of them. Codes are added, never renamed. */
export const problems = {
  // what the caller sent
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
  // what is not there
  not_found: { status: 404, title: "The key does not exist" },
  space_not_found: { status: 404, title: "The space does not exist" },
  registration_not_found: { status: 404, title: "The registration does not exist" },
  lease_not_found: { status: 404, title: "The lease does not exist, or has ended" },
  ticket_not_found: { status: 404, title: "There is no such waiter" },
  route_not_found: { status: 404, title: "There is no such route" },
  method_not_allowed: { status: 405, title: "The route does not take this method" },
  // what stands against it
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
  // who asks
  token_missing: { status: 401, title: "A token is needed" },
  token_invalid: { status: 401, title: "The token is not valid" },
  token_expired: { status: 401, title: "The token has expired" },
  forbidden: { status: 403, title: "The token does not allow this" },
  origin_forbidden: { status: 403, title: "The origin is not allowed" },
  host_forbidden: { status: 403, title: "The host is not allowed" },
  deployment_closed: { status: 403, title: "The deployment has no secret" },
  misconfigured: { status: 500, title: "The deployment's configuration is wrong" },
  // what went wrong on the way
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
} as const satisfies Readonly<Record<string, { readonly status: number; readonly title: string }>>;

/** A code from the closed union. */
export type ErrorCode = keyof typeof problems;

/** All codes. Marked as pure, so that a page that does not ask for them does not load the table. */
export const errorCodes = /* @__PURE__ */ Object.keys(problems) as readonly ErrorCode[];

/** Whether it is one of them: a newer deployment may have others. */
export function isErrorCode(text: string): text is ErrorCode {
  return (errorCodes as readonly string[]).includes(text);
}

/**
 * How a failed mutation ended (rule OU1): `fail` had no effect and never will;
 * `unknown` may have been done. Reads always end as `fail`.
 */
export type ErrorOutcome = "fail" | "unknown";

/** Facts about an error that a program may use: the field, its range, the line … Never values or tokens. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The plain form of a {@link WarpError}: what crosses RPC, frames and problem+json. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: ErrorOutcome;
  readonly retryable: boolean;
  /** Milliseconds to wait before a retry makes sense. */
  readonly retryAfterMs?: number;
  readonly details?: ErrorDetails;
}

/** Optional parts of a {@link WarpError}. */
export interface WarpErrorOptions {
  /** What made it happen; kept on `cause`, never sent to a client. */
  readonly cause?: unknown;
  /** Default `"fail"`. */
  readonly outcome?: ErrorOutcome;
  /** Default: whether the code is one of the passing troubles (`unavailable`, `overloaded`, …). */
  readonly retryable?: boolean;
  /** Milliseconds; absent when there is no sensible guess. */
  readonly retryAfterMs?: number;
  readonly details?: ErrorDetails;
}

const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "deadline_exceeded",
  "overloaded",
  "unavailable",
  "storage_timeout",
  "storage_unavailable",
  "space_deleting",
  "quorum_failed",
  "write_interrupted",
  "session_ended",
  "lock_held",
  "lock_waiting",
]);

/** Every error that Warp raises. */
export class WarpError extends Error {
  override readonly name = "WarpError";
  declare readonly code: ErrorCode;
  declare readonly outcome: ErrorOutcome;
  declare readonly retryable: boolean;
  declare readonly retryAfterMs: number | undefined;
  declare readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, options: WarpErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? "fail";
    this.retryable = options.retryable ?? passing.has(code);
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }

  /** The plain form, without the cause. */
  toData(): ErrorData {
    return {
      code: this.code,
      message: this.message,
      outcome: this.outcome,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  /** The error again, from its plain form. */
  static fromData(data: ErrorData): WarpError {
    return new WarpError(data.code, data.message, data);
  }

  /** `error` itself if it is a WarpError, else one with `code` that keeps it as its cause. */
  static from(error: unknown, code: ErrorCode, message: string, options: WarpErrorOptions = {}): WarpError {
    return error instanceof WarpError ? error : new WarpError(code, message, { ...options, cause: error });
  }
}

/** Whether `error` is a WarpError, of one of `codes` if any are given. */
export function isWarpError(error: unknown, ...codes: readonly ErrorCode[]): error is WarpError {
  return error instanceof WarpError && (codes.length === 0 || codes.includes(error.code));
}
